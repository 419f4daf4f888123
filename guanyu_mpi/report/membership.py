"""Who was in the quorums, and who was apart from the others, stretch of steps by stretch."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.metrics import Event
from guanyu_mpi.report.heat import Row
from guanyu_mpi.report.history import History, Look

STRETCHES_MAX = 30
# What a server's log calls the quorum of a role.
KEYS = {Role.SERVER: "updates", Role.WORKER: "gradients"}


@dataclass(frozen=True, slots=True)
class Stretches:
    """The steps up to the last one in so many stretches of equal length."""

    last_step: int
    number: int

    def of(self, step: int) -> int:
        """In which stretch a step is, from 1 to the last; a later one counts as the last."""
        return min(self.number - 1, self.number * max(0, step - 1) // max(1, self.last_step))


def stretches(seen: History) -> Stretches:
    """As many as there is something to tell of: servers write as often as the observer looks."""
    return Stretches(seen.looks[-1].step, min(STRETCHES_MAX, max(1, len(seen.looks) - 1)))


@dataclass(frozen=True, slots=True)
class Attendance:
    """What one server has written: quorums by role and stretch, and in how many a node was."""

    quorums: dict[tuple[Role, int], int]
    there: dict[tuple[Node, int], int]

    def share(self, node: Node, stretch: int) -> float | None:
        """In which part of a stretch's quorums a node was."""
        quorums = self.quorums.get((node.role, stretch), 0)
        return self.there.get((node, stretch), 0) / quorums if quorums else None

    def overall(self, node: Node) -> float | None:
        """In which part of all quorums it was."""
        counts = {at: count for (role, at), count in self.quorums.items() if role is node.role}
        there = sum(self.there.get((node, stretch), 0) for stretch in counts)
        return there / sum(counts.values()) if counts else None


def attendance(events: Iterable[Event], cluster: Cluster, steps: Stretches) -> Attendance:
    """Count a server's log; names that no node has are not counted."""
    nodes = {str(node): node for role in KEYS for node in cluster.nodes(role)}
    found = Attendance({}, {})
    for event in events:
        step = event.get("step")
        if event.get("event") != "commit" or not isinstance(step, int) or step < 0:
            continue
        stretch = steps.of(step)
        for role, key in KEYS.items():
            named = event.get(key)
            if not isinstance(named, list) or not named:
                continue
            found.quorums[role, stretch] = found.quorums.get((role, stretch), 0) + 1
            for name in {name for name in named if isinstance(name, str) and name in nodes}:
                at = nodes[name], stretch
                if at[0].role is role:
                    found.there[at] = found.there.get(at, 0) + 1
    return found


def membership_rows(
    written: Sequence[tuple[Node, Attendance]],
    cluster: Cluster,
    steps: Stretches,
    marked: Iterable[Node],
) -> Iterator[Row]:
    """A row for every server and worker; at most f of the servers lie, and the median does not."""
    strange = set(marked)
    for role in KEYS:
        for node in cluster.nodes(role):
            # Its own vote is always in its own quorum.
            others = [found for server, found in written if server != node]
            shares = [
                _median(found.share(node, stretch) for found in others)
                for stretch in range(steps.number)
            ]
            overall = _median(found.overall(node) for found in others)
            if any(share is not None for share in shares):
                yield Row(str(node), tuple(shares), overall, node in strange)


def suspicion_rows(
    seen: History, cluster: Cluster, steps: Stretches, marked: Iterable[Node]
) -> Iterator[Row]:
    """A row for every server and worker of which the observer tells how often it was apart."""
    strange = set(marked)
    for node in (node for role in KEYS for node in cluster.nodes(role)):
        shares: list[float | None] = [None] * steps.number
        overall = None
        for look in seen.looks:
            share = _apart(node, look)
            if share is not None:
                overall = shares[steps.of(look.step)] = share
        if overall is not None:
            yield Row(str(node), tuple(_carried(shares)), overall, node in strange)


def _apart(node: Node, look: Look) -> float | None:
    """Up to a look, how often a server was far from the others, or a gradient was rejected."""
    if node.role is Role.SERVER:
        return look.far.get(str(node))
    selected = look.selected.get(str(node))
    return None if selected is None else 1 - selected


def _carried(shares: Sequence[float | None]) -> Iterator[float | None]:
    """What is known of an earlier stretch, where nothing is of a later one, up to the last."""
    last = max(at for at, share in enumerate(shares) if share is not None)
    known: float | None = None
    for at, share in enumerate(shares):
        known = known if share is None else share
        yield known if at <= last else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
