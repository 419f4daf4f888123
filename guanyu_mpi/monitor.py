"""What the servers' reports say together, and when the rule's guarantee does not hold any more."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.messages import Report
from guanyu_mpi.resilience import ABSENT, Resilience, from_vector, margin

# So many estimates in a row must be below the bound. One is noisy: in a quorum of five it rests on
# four gradients. Three below by chance are rare, and a true warning is late by two looks only.
WARN_AFTER = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians over a quorum of servers of what they estimate of a step's gradients.

    `margin` and `sin_alpha` are None where no bound is known for the rule. `selected` is the share
    of quorums in which a worker was among the nearest n - f, and `rank` its mean place by
    distance to the aggregate, both over all steps reported so far.
    """

    measured_step: int
    deviation: float
    margin: float | None
    sin_alpha: float | None
    alignment: float
    outlying: float
    selected: Mapping[Node, float]
    rank: Mapping[Node, float]


@dataclass(slots=True)
class Record:
    """How a worker's gradients have fared so far."""

    quorums: int = 0
    selected: int = 0
    ranks: float = 0.0


class Monitor:
    """Merges reports as a quorum of servers has sent them; of each server it keeps the newest.

    At most f reports of a quorum are lies, so every median lies between honest estimates.
    `deviation_max` is up to where the rule is known to be resilient, None if that is unknown.
    """

    def __init__(self, cluster: Cluster, rule: str, deviation_max: float | None) -> None:
        self.last: Measured | None = None
        self._cluster = cluster
        self._rule = rule
        self._deviation_max = deviation_max
        self._newest: dict[Node, tuple[int, Resilience]] = {}
        self._records: dict[Node, Record] = {}
        # The first step and the margins of the estimates in a row that are below the bound.
        self._since = 0
        self._below: list[float] = []
        self._warned = False

    def offer(self, sender: Node, report: Report) -> str:
        """Count a report; the warning at the moment when it is due, else nothing.

        A newer report counts for every earlier step as well: those before it may have been
        replaced on their way.
        """
        held = self._newest.get(sender)
        if held is not None and report.step <= held[0]:
            return ""
        estimates = from_vector(report.vector, self._cluster.worker_quorum)
        self._newest[sender] = report.step, estimates
        reached = self._reached()
        if reached is None or (self.last is not None and reached <= self.last.measured_step):
            return ""
        self.last = self._merged(
            reached, [said for step, said in self._newest.values() if step >= reached]
        )
        return self._warning(self.last)

    def _reached(self) -> int | None:
        """Highest step that a quorum of servers has reported or passed."""
        steps = sorted((step for step, _ in self._newest.values()), reverse=True)
        quorum = self._cluster.server_quorum
        return steps[quorum - 1] if len(steps) >= quorum else None

    def _merged(self, step: int, said: list[Resilience]) -> Measured:
        for worker in self._cluster.nodes(Role.WORKER):
            self._follow(worker, [estimates.ranks[worker.index] for estimates in said])
        deviation = statistics.median(estimates.deviation for estimates in said)
        known = self._deviation_max
        return Measured(
            measured_step=step,
            deviation=deviation,
            margin=None if known is None else margin(deviation, known),
            sin_alpha=None if known is None else deviation / known,
            alignment=statistics.median(estimates.alignment for estimates in said),
            outlying=statistics.median(estimates.outlying for estimates in said),
            selected={node: kept.selected / kept.quorums for node, kept in self._records.items()},
            rank={node: kept.ranks / kept.quorums for node, kept in self._records.items()},
        )

    def _follow(self, worker: Node, ranks: list[int]) -> None:
        present = [rank for rank in ranks if rank != ABSENT]
        # Fewer, and Byzantine servers could say where an honest worker was.
        if len(present) < 2 * self._cluster.byzantine_servers + 1:
            return
        rank = statistics.median(present)
        nearest = self._cluster.worker_quorum - self._cluster.byzantine_workers
        record = self._records.setdefault(worker, Record())
        record.quorums += 1
        record.selected += rank < nearest
        record.ranks += rank

    def _warning(self, measured: Measured) -> str:
        if self._deviation_max is None or measured.margin is None or self._warned:
            return ""
        if measured.margin >= 1:
            self._below.clear()
            return ""
        if not self._below:
            self._since = measured.measured_step
        self._below.append(measured.margin)
        self._warned = len(self._below) == WARN_AFTER
        if not self._warned:
            return ""
        return (
            f"{self._rule}'s guarantee needs ||gradient|| > eta sqrt(d) sigma, "
            f"eta = {1 / self._deviation_max:.3g}; "
            f"measured {statistics.median(self._below):.2g} of it since step {self._since}"
        )
