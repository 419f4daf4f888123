"""Which step a restart takes and which files stay: pure functions of what each server holds.

Held means: a file is there (`retained`) or was read and found valid (`elect`). Throughout, a step
that a quorum holds is genuine, because at most byzantine_servers of the holders lie.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from guanyu_mpi.checkpoint.hdf5 import Writers

Holdings: TypeAlias = Mapping[int, Collection[int]]  # server -> steps

# Files that a server keeps of steps that no quorum has: where one disk takes 2^m intervals to
# write and others less, a quorum comes within 3 * 2^m of the last, so among 3 of equal roundness.
AHEAD_MAX = 8


@dataclass(frozen=True, slots=True)
class Election:
    """The step a restart takes, the servers that hold it, who wrote it, how many were needed."""

    step: int
    holders: tuple[int, ...]
    writers: Writers
    needed: int

    @property
    def sound(self) -> bool:
        """Whether the median of what is held must lie between honest servers' params."""
        return len(self.holders) >= self.needed

    @property
    def doubt(self) -> str:
        """What is to be said where that is not so."""
        holders, f = len(self.holders), self.writers.byzantine_servers
        if self.sound:
            return ""
        lies = "all of them may be lies" if holders <= f else "their median may be a lie"
        return (
            f"step {self.step} is the median of {holders} file{'s'[: holders > 1]}, of which "
            f"byzantine_servers = {f} may have been made up: {lies}; {self.needed} are needed"
        )

    def __str__(self) -> str:
        return (
            f"step {self.step} is held by servers {', '.join(map(str, self.holders))}: "
            f"{len(self.holders)} of {self.writers.servers}, {self.needed} needed"
        )


def restore_step(holdings: Holdings, quorum: int) -> int | None:
    """Highest step that at least `quorum` servers hold; None if there is none."""
    steps = {step for held in holdings.values() for step in held}
    enough = (step for step in steps if len(_holders(holdings, step)) >= quorum)
    return max(enough, default=None)


def elect(held: Mapping[Writers, Holdings], current: Writers) -> Election | None:
    """Highest step that a quorum of those who wrote it holds, by the quorum that they wrote down.

    The number of servers may have changed since, and a file says by which quorum it was saved.
    Only files that agree on it count together, so f liars cannot lower it for the others: to be
    taken at all they must invent writers with a quorum q <= f, which `plausible` bounds from
    below by 3. The rest is excluded here: writers other than the current ones are believed only
    when more servers hold their step than could be lying, by any candidate's word and by the
    current ones; or, of a cluster that has grown to tolerate more than had all it holds, by the
    candidates' alone.
    """
    candidates = [
        found
        for writers, holdings in held.items()
        if plausible(writers, current)
        and (found := _candidate(writers, holdings, writers.server_quorum))
    ]
    lying = max((found.writers.byzantine_servers for found in candidates), default=0)
    believed = _believed(candidates, current, max(lying, current.byzantine_servers))
    if not believed and current not in held:
        believed = _believed(candidates, current, lying)
    return max(believed, key=lambda found: found.step, default=None)


def _believed(candidates: Sequence[Election], current: Writers, lying: int) -> list[Election]:
    return [
        found for found in candidates if found.writers == current or len(found.holders) > lying
    ]


def last_resort(held: Mapping[Writers, Holdings], current: Writers) -> Election | None:
    """Highest step that 2f + 1 of the current servers hold, for when no quorum holds any.

    A job killed while a slow server was behind leaves a step with a quorum and no spare; one
    damaged file then takes the quorum away. The median of 2f + 1 files still lies between honest
    ones, which is all that a restart needs of it.
    """
    return _candidate(current, held.get(current, {}), majority(current))


def most_held(held: Mapping[Writers, Holdings]) -> Election | None:
    """The step that most servers hold, the newest of several; they may all be lying."""
    found = [
        Election(step, _holders(holdings, step), writers, majority(writers))
        for writers, holdings in held.items()
        for step in {step for steps in holdings.values() for step in steps}
    ]
    return max(found, key=lambda one: (len(one.holders), one.step), default=None)


def majority(writers: Writers) -> int:
    """How many files it takes for their median to lie between honest ones."""
    return 2 * writers.byzantine_servers + 1


def plausible(writers: Writers, current: Writers) -> bool:
    """Whether these numbers can be true: the current ones, or others within GuanYu's bounds.

    A single server's word is its own quorum, so it is taken only where nobody lies.
    """
    n, f, q = writers.servers, writers.byzantine_servers, writers.server_quorum
    if writers == current:
        return True
    if n == 1:
        return current.byzantine_servers == 0
    return n >= 3 * f + 3 and 2 * f + 3 <= q <= n - f


def unfinished_first(present: Holdings, writers: Writers, beginners: Collection[int] = ()) -> bool:
    """Whether the job was killed while its first checkpoint was being written: nothing is lost.

    No server has more than one file, except for `beginners`, whose files say that no quorum had
    any before, and at most f, who may make up any number; and no quorum has one of the same step,
    valid or not: then damage came later, and there is something to lose.
    """
    several = {server for server, steps in present.items() if len(steps) > 1} - {*beginners}
    if len(several) > writers.byzantine_servers:
        return False
    return restore_step(present, writers.server_quorum) is None


def retained(
    present: Holdings, server: int, keep: int, writers: Writers, restored: int
) -> set[int]:
    """Steps that `server` must not remove: its `keep` newest, and what a restart may need.

    A restart needs the highest step that a quorum has; until there is one, the step that this
    life of the run was restored from. A server therefore removes nothing from there on, not even
    what no quorum has yet, as it may be about to have it. So that step never decreases: a kill at
    any moment, however far apart the servers are, leaves one to restore. Of a server further ahead
    the AHEAD_MAX roundest stay: those are what servers with slower disks do not skip.
    """
    own = sorted(present.get(server, ()))
    needed = restorable(present, writers, restored)
    ahead = [step for step in own if step > needed]
    roundest = sorted(ahead, key=lambda step: (-roundness(step), step))
    return {needed, *roundest[:AHEAD_MAX], *own[-keep:]}


def restorable(present: Holdings, writers: Writers, restored: int) -> int:
    """The highest step that a quorum has files of, and at least the one this life began at."""
    servers = {other: steps for other, steps in present.items() if other < writers.servers}
    return max(restore_step(servers, writers.server_quorum) or 0, restored)


def roundness(step: int) -> int:
    """How often 2 divides a step: by this, servers that cannot save all save the same ones.

    >>> [roundness(step) for step in (100, 200, 300, 400)]
    [2, 3, 2, 4]
    """
    return (step & -step).bit_length() - 1


def _candidate(writers: Writers, holdings: Holdings, needed: int) -> Election | None:
    step = restore_step(holdings, needed)
    if step is None:
        return None
    return Election(step, _holders(holdings, step), writers, needed)


def _holders(holdings: Holdings, step: int) -> tuple[int, ...]:
    return tuple(sorted(server for server, steps in holdings.items() if step in steps))
