"""What ranks have told of a run, between the first and the last of the steps that count."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from guanyu_mpi.account import ASLEEP, Activity
from guanyu_mpi.bench.step_plan import StepPlan
from guanyu_mpi.bench.step_report import SLOW_WORKER, Part, State
from guanyu_mpi.cluster import OBSERVER, Cluster, Node, Role
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.faults.kinds import Injection
from guanyu_mpi.journal import observer_log, rank_log
from guanyu_mpi.metrics import read_events


@dataclass(frozen=True, slots=True)
class Told:
    """What a rank has used until a step."""

    step: int
    time_s: float
    spent_s: dict[Activity, float]
    worked_s: dict[Activity, float]
    cpu_s: float
    peak_bytes: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class Between:
    """What one rank has done between two steps."""

    first: Told
    last: Told

    @property
    def time_s(self) -> float:
        """How long it has taken."""
        return self.last.time_s - self.first.time_s

    @property
    def steps_per_s(self) -> float:
        """How fast it has gone."""
        return (self.last.step - self.first.step) / self.time_s

    @property
    def cores(self) -> float:
        """How much of a core it has kept busy."""
        return (self.last.cpu_s - self.first.cpu_s) / self.time_s

    @property
    def sent_bytes_per_s(self) -> float:
        """What it has sent."""
        return (self.last.sent_bytes - self.first.sent_bytes) / self.time_s

    @property
    def shares(self) -> dict[State, float]:
        """How much of its time it was in which state."""
        running = sum(self.worked(activity) for activity in Activity if activity not in ASLEEP)
        wait, idle = (self.spent(activity) for activity in ASLEEP)
        # The two clocks do not tick together.
        held_up = max(0.0, 1 - running - wait - idle)
        return dict(zip(State, (running, wait, idle, held_up), strict=True))

    def worked(self, activity: Activity) -> float:
        """How much of a core an activity has kept busy."""
        return (self.last.worked_s[activity] - self.first.worked_s[activity]) / self.time_s

    def spent(self, activity: Activity) -> float:
        """How much of its time an activity has taken."""
        return (self.last.spent_s[activity] - self.first.spent_s[activity]) / self.time_s


_TOLD = TypeAdapter(Told)


def updates_per_s(plan: StepPlan, cluster: Cluster, run_dir: Path) -> float:
    """How fast the median server is; raises InvariantError if none has told."""
    servers = _between(plan, cluster, run_dir, cluster.nodes(Role.SERVER))
    if not servers:
        raise InvariantError(f"{run_dir}: no server has told of two of the steps that count")
    return statistics.median(server.steps_per_s for server in servers)


def parts(
    plan: StepPlan,
    cluster: Cluster,
    run_dir: Path,
    speed: float,
    faults: Sequence[Injection] = (),
) -> dict[str, Part]:
    """What the ranks of each role have used, of those that have told, at so many updates/s.

    Without those whom faults were injected into; but with the slow, apart from the others.
    """
    struck = {fault.node for fault in faults}
    groups = {
        role.value: [node for node in cluster.nodes(role) if node not in struck] for role in Role
    }
    groups[SLOW_WORKER] = [fault.node for fault in faults if fault.kind == "slow"]
    told = {name: _between(plan, cluster, run_dir, nodes) for name, nodes in groups.items()}
    return {name: _part(ranks, len(groups[name]) / speed) for name, ranks in told.items() if ranks}


def _part(ranks: Sequence[Between], rank_seconds: float) -> Part:
    """The part of ranks that spend so many seconds on an update, all together."""
    return Part(
        shares={state: statistics.mean(rank.shares[state] for rank in ranks) for state in State},
        worked_s={
            each: rank_seconds * statistics.mean(rank.worked(each) for rank in ranks)
            for each in Activity
        },
        cpu_s=rank_seconds * statistics.mean(rank.cores for rank in ranks),
        sent_bytes=rank_seconds * statistics.mean(rank.sent_bytes_per_s for rank in ranks),
        peak_bytes=max(rank.last.peak_bytes for rank in ranks),
        spent_s={
            each: rank_seconds * statistics.mean(rank.spent(each) for rank in ranks)
            for each in Activity
        },
    )


def _between(
    plan: StepPlan, cluster: Cluster, run_dir: Path, nodes: Sequence[Node]
) -> list[Between]:
    """What these have told, of those that have told of two steps that count."""
    found = []
    for node in nodes:
        told = [
            one for one in _told(cluster, run_dir, node) if plan.first <= one.step <= plan.last
        ]
        if told and told[-1].step > told[0].step:
            found.append(Between(told[0], told[-1]))
    return found


def _told(cluster: Cluster, run_dir: Path, node: Node) -> list[Told]:
    path = observer_log(run_dir) if node == OBSERVER else rank_log(run_dir, cluster.rank(node))
    events = [event for event in read_events(path) if "spent_s" in event]
    return [_TOLD.validate_python(event) for event in events]
