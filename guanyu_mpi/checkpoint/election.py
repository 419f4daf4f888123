"""Which step a restart takes and which files stay: pure functions of what each server holds.

Held means: a file is there (`retained`) or was read and found valid (`elect`). Throughout, a step
that a quorum holds is genuine, because at most byzantine_servers of the holders lie.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from guanyu_mpi.checkpoint.hdf5 import Writers

Holdings: TypeAlias = Mapping[int, Collection[int]]  # server -> steps

AHEAD_MAX = 8  # files that a server keeps of steps that no quorum has


@dataclass(frozen=True, slots=True)
class Election:
    """The step a restart takes, the servers that hold it, who wrote it, how many were needed."""

    step: int
    holders: tuple[int, ...]
    writers: Writers
    needed: int

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
    when more servers hold their step than, by any candidate's word, could be lying.
    """
    candidates = [
        found
        for writers, holdings in held.items()
        if plausible(writers, current)
        and (found := _candidate(writers, holdings, writers.server_quorum))
    ]
    may_lie = [found.writers.byzantine_servers for found in candidates]
    may_lie += [current.byzantine_servers] if current in held else []
    believed = [
        found
        for found in candidates
        if found.writers == current or len(found.holders) > max(may_lie)
    ]
    return max(believed, key=lambda found: found.step, default=None)


def last_resort(held: Mapping[Writers, Holdings], current: Writers) -> Election | None:
    """Highest step that 2f + 1 of the current servers hold, for when no quorum holds any.

    A job killed while a slow server was behind leaves a step with a quorum and no spare; one
    damaged file then takes the quorum away. The median of 2f + 1 files still lies between honest
    ones, which is all that a restart needs of it.
    """
    return _candidate(current, held.get(current, {}), 2 * current.byzantine_servers + 1)


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


def unfinished_first(present: Holdings, writers: Writers) -> bool:
    """Whether the job was killed while its first checkpoint was being written: nothing is lost.

    No server has more than one file, except for at most f, who may make up any number; and no
    quorum has one of the same step, valid or not: then damage came later, and there is something
    to lose.
    """
    several = [server for server, steps in present.items() if len(steps) > 1]
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
    any moment, however far apart the servers are, leaves one to restore. A server that follows
    the protocol is one checkpoint ahead of it; of one further ahead, the oldest AHEAD_MAX stay.
    """
    own = sorted(present.get(server, ()))
    servers = {other: steps for other, steps in present.items() if other < writers.servers}
    needed = max(restore_step(servers, writers.server_quorum) or 0, restored)
    ahead = [step for step in own if step > needed]
    return {needed, *ahead[:AHEAD_MAX], *own[-keep:]}


def _candidate(writers: Writers, holdings: Holdings, needed: int) -> Election | None:
    step = restore_step(holdings, needed)
    if step is None:
        return None
    return Election(step, _holders(holdings, step), writers, needed)


def _holders(holdings: Holdings, step: int) -> tuple[int, ...]:
    return tuple(sorted(server for server, steps in holdings.items() if step in steps))
