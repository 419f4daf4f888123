"""How each rank of a run has fared, from what all ranks have written: evidence, not verdicts.

A log is its rank's own word. What speaks against a rank is taken from the logs of the others, and
from more of them than can lie. Of each log the newest life counts.
"""

import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeGuard

from guanyu_mpi.account import Activity
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.episode import Stretch
from guanyu_mpi.errors import Fault
from guanyu_mpi.journal import STRETCH_FIELDS, observer_log, rank_log
from guanyu_mpi.metrics import Event, read_events

Logs: TypeAlias = Mapping[Node, list[Event]]

# So many written quorums without a rank, while its own log says nothing, are silence.
SILENT_QUORUMS = 10
# A damaged log can say anything; no count or step is as large.
NUMBER_MAX = 2.0**63


@dataclass(frozen=True, slots=True)
class BadFrames:
    """Frames of one rank that others have dropped.

    At least `known`: so many have more receivers counted than can lie. `claimed_by` are all who
    have counted any.
    """

    known: int
    claimed_by: tuple[Node, ...]

    def __str__(self) -> str:
        return str(self.known) if self.known or not self.claimed_by else "claimed"


@dataclass(frozen=True, slots=True)
class Attendance:
    """In how many of so many quorums a rank was, as the median server has written them.

    `unheard` is a rank that was in none of the last quorums and has meanwhile written nothing.
    """

    quorums: int
    present: float
    last_step: int
    unheard: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """One rank, its host, and what is known of it; None where too few can tell.

    `rejected` and `strayed` are shares of the quorums it was in: not among the nearest n - f, and
    a clear outlier. `stretch` is when that was so nearly always, `fair` the share of quorums that
    it would be in if order were chance. `spent_s` is its time by activity and
    `worked_s` what of that it had a core for, by its own word.
    """

    rank: int
    node: Node
    host: str
    fair: float
    attendance: Attendance | None
    rejected: float | None
    strayed: float | None
    stretch: Stretch | None
    malformed: BadFrames
    non_finite: BadFrames
    spent_s: Mapping[Activity, float] = field(default_factory=dict)
    worked_s: Mapping[Activity, float] = field(default_factory=dict)


def standings(
    cluster: Cluster, run_dir: Path, read: Callable[[Path], list[Event]] = read_events
) -> list[Standing]:
    """All ranks but the observer, by rank; none where none has written anything."""
    nodes = [*cluster.nodes(Role.SERVER), *cluster.nodes(Role.WORKER)]
    logs = {node: _newest_life(read(rank_log(run_dir, cluster.rank(node)))) for node in nodes}
    if not any(logs.values()):
        return []
    seen: Event = next(iter(read(observer_log(run_dir))[-1:]), {})
    return [_standing(node, cluster, logs, seen) for node in nodes]


def _standing(node: Node, cluster: Cluster, logs: Logs, seen: Event) -> Standing:
    selected = _number(seen, "selected", node)
    hosts = (event.get("host") for event in logs[node] if event.get("event") == "started")
    return Standing(
        rank=cluster.rank(node),
        node=node,
        # A log is a rank's own word, and this one is shown to people.
        host=next((h for h in hosts if isinstance(h, str) and h.isprintable()), "unknown"),
        fair=cluster.quorum(node.role) / cluster.size(node.role),
        attendance=_attendance(node, cluster, logs),
        rejected=None if selected is None else 1 - selected,
        strayed=_number(seen, "strayed", node),
        stretch=_stretch(seen, node),
        malformed=_bad_frames(node, cluster, logs, set(Fault) - {Fault.NON_FINITE}),
        non_finite=_bad_frames(node, cluster, logs, {Fault.NON_FINITE}),
        spent_s=_by_activity(logs[node], "spent_s"),
        worked_s=_by_activity(logs[node], "worked_s"),
    )


def _by_activity(events: Sequence[Event], key: str) -> dict[Activity, float]:
    """What a rank has told last of its time, under a key."""
    told = [seconds for event in events if isinstance(seconds := event.get(key), dict)]
    found = {activity: told[-1].get(activity) for activity in Activity} if told else {}
    return {activity: s for activity, s in found.items() if _is_duration(s)}


def _is_duration(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 <= value < NUMBER_MAX


def _newest_life(events: list[Event]) -> list[Event]:
    starts = [at for at, event in enumerate(events) if event.get("event") == "started"]
    return events[starts[-1] :] if starts else events


def _attendance(node: Node, cluster: Cluster, logs: Logs) -> Attendance | None:
    """What the median server has written; None without enough servers that have written enough."""
    written = [
        _quorums_of(node, logs[server])
        for server in cluster.nodes(Role.SERVER)
        # Its own vote is always in its own quorum.
        if server != node
    ]
    written = [quorums for quorums in written if len(quorums) >= SILENT_QUORUMS]
    if len(written) < 2 * cluster.byzantine_servers + 1:
        return None
    recent = [quorums[-SILENT_QUORUMS:] for quorums in written]
    missing = sum(not any(there for _, _, there in quorums) for quorums in recent)
    since_s = statistics.median(quorums[0][1] for quorums in recent)
    present = [sum(there for _, _, there in quorums) / len(quorums) for quorums in written]
    last = [max((step for step, _, there in quorums if there), default=0) for quorums in written]
    return Attendance(
        quorums=statistics.median_low(len(quorums) for quorums in written),
        present=statistics.median(present),
        last_step=statistics.median_low(last),
        unheard=2 * missing > len(written) and _says_nothing(logs[node], since_s),
    )


def _quorums_of(node: Node, events: Iterable[Event]) -> list[tuple[int, float, bool]]:
    """Of each quorum of the node's role in a server's log: step, time, whether it was in it."""
    key = "gradients" if node.role is Role.WORKER else "updates"
    found = []
    for event in events:
        step, time_s, members = event.get("step"), event.get("time_s"), event.get(key)
        # A server that has adopted the others' updates had no quorum of gradients.
        if isinstance(step, int) and isinstance(time_s, int | float) and _is_quorum(members):
            found.append((step, time_s, str(node) in members))
    return found


def _says_nothing(events: Iterable[Event], since_s: float) -> bool:
    """Whether a log is neither finished nor has anything later."""
    times = [event.get("time_s") for event in events]
    later = any(isinstance(time_s, int | float) and time_s > since_s for time_s in times)
    return not later and not any(event.get("event") == "halted" for event in events)


def _is_quorum(members: object) -> TypeGuard[list[str]]:
    return isinstance(members, list) and bool(members)


def _bad_frames(node: Node, cluster: Cluster, logs: Logs, faults: Iterable[Fault]) -> BadFrames:
    kinds = {fault.value for fault in faults}
    counted = {
        receiver: count
        for receiver, events in logs.items()
        if receiver != node and (count := _count_rejected(node, events, kinds))
    }
    known = 0
    for role in (Role.SERVER, Role.WORKER):
        counts = sorted((count for at, count in counted.items() if at.role is role), reverse=True)
        # The f highest may be inventions.
        believed = counts[cluster.byzantine(role) :]
        known = max([known, *believed])
    return BadFrames(known, tuple(counted))


def _count_rejected(sender: Node, events: Iterable[Event], kinds: Collection[str]) -> int:
    """At least so many: a log tells of the first, the second, the fourth, ... of each kind."""
    told: dict[str, int] = {}
    for event in events:
        kind, times = event.get("fault"), event.get("times")
        named = event.get("event") == "rejected" and event.get("sender") == str(sender)
        if named and isinstance(kind, str) and kind in kinds and isinstance(times, int):
            told[kind] = max(times, told.get(kind, 0))
    return sum(told.values())


def _stretch(seen: Event, node: Node) -> Stretch | None:
    fields = [_number(seen, f"suspected_{name}", node) for name in STRETCH_FIELDS]
    numbers = [int(number) for number in fields if number is not None]
    if len(numbers) < len(STRETCH_FIELDS) or numbers[STRETCH_FIELDS.index("looks")] < 1:
        return None
    since, until, looks, rejected, outlying, lasting = numbers
    return Stretch(since, until, looks, rejected, outlying, bool(lasting))


def _number(seen: Event, key: str, node: Node) -> float | None:
    """What the observer's last observation says of a node under a key."""
    of_nodes = seen.get(key)
    number = of_nodes.get(str(node)) if isinstance(of_nodes, dict) else None
    return number if isinstance(number, int | float) and abs(number) < NUMBER_MAX else None
