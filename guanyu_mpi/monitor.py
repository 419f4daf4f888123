"""What the servers' reports say together, and when the rule's guarantee does not hold any more."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.episode import Episode, Stretch
from guanyu_mpi.messages import Report
from guanyu_mpi.resilience import ABSENT, Resilience, from_vector, margin

# So many estimates in a row must be below the bound. One is noisy: in a quorum of five it rests on
# four gradients. Three below by chance are rare, and a true warning is late by two looks only.
WARN_AFTER = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians over a quorum of servers of what they estimate of a step's gradients.

    `margin` and `sin_alpha` are None where no bound is known for the rule. `selected` is the share
    of quorums in which a worker was among the nearest n - f, `rank` its mean place by distance to
    the aggregate, and `strayed` the share in which it was a clear outlier, all over the steps
    reported so far; `suspected` are those that were not selected for long, and since when.
    """

    measured_step: int
    deviation: float
    margin: float | None
    sin_alpha: float | None
    alignment: float
    outlying: float
    selected: Mapping[Node, float]
    rank: Mapping[Node, float]
    strayed: Mapping[Node, float] = field(default_factory=dict)
    suspected: Mapping[Node, Stretch] = field(default_factory=dict)


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
        self._episodes: dict[Node, Episode] = {}
        self._rank_sums: dict[Node, float] = {}
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
            self._follow(worker, step, said)
        deviation = statistics.median(estimates.deviation for estimates in said)
        known, episodes = self._deviation_max, self._episodes
        suspected = {node: episode.evident for node, episode in episodes.items()}
        return Measured(
            measured_step=step,
            deviation=deviation,
            margin=None if known is None else margin(deviation, known),
            sin_alpha=None if known is None else deviation / known,
            alignment=statistics.median(estimates.alignment for estimates in said),
            outlying=statistics.median(estimates.outlying for estimates in said),
            selected={node: 1 - seen.rejected / seen.looks for node, seen in episodes.items()},
            rank={node: self._rank_sums[node] / seen.looks for node, seen in episodes.items()},
            strayed={node: seen.outlying / seen.looks for node, seen in episodes.items()},
            suspected={node: stretch for node, stretch in suspected.items() if stretch},
        )

    def _follow(self, worker: Node, step: int, said: list[Resilience]) -> None:
        """Look at a worker as the median server has seen it, if enough of them have."""
        quorum = self._cluster.worker_quorum
        seen = [
            (estimates.ranks[worker.index], estimates.outlying)
            for estimates in said
            if estimates.ranks[worker.index] != ABSENT
        ]
        # Fewer, and Byzantine servers could say where an honest worker was.
        if len(seen) < 2 * self._cluster.byzantine_servers + 1:
            return
        rank = statistics.median(rank for rank, _ in seen)
        # Of those who were in the quorum, the clear outliers are the last.
        strayed = sum(rank >= quorum - outlying for rank, outlying in seen)
        self._rank_sums[worker] = self._rank_sums.get(worker, 0.0) + rank
        self._episodes.setdefault(worker, Episode()).look(
            step,
            rejected=rank >= quorum - self._cluster.byzantine_workers,
            outlying=2 * strayed > len(seen),
        )

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
