"""A step of GuanYu as its three phases: what waits for what, and for how long. No vectors.

Per message: the sender's network card, the wire, the receiver's card, and a core of the receiver;
then the first q or q' go on. What comes after these is still received and handled, and delays what
follows. Nothing is replaced by a newer message: where a node falls behind for good, the model is
slower than the protocol, which drops what nobody needs any more.

Within one host messages cost cores only. A card that both ends have free passes a message on while
it arrives, so that a message takes its latency and its bytes over the slower card's bandwidth.
"""

from dataclasses import dataclass

import numpy as np
from lanes import Lanes, Places, Times

from guanyu_mpi.cluster import Cluster

# The first steps find idle cards: they are not counted. Of the others so many at least.
SETTLING, COUNTED = 3, 4


@dataclass(frozen=True, slots=True, eq=False)
class Platform:
    """Host of every rank; per host its bandwidth, bytes per second each way, and its cores.

    A rank has one thread, and a core of its own if there are enough. If not, all ranks of a host
    share its cores evenly, as an operating system has them do.
    """

    hosts: Places
    bandwidth: Times
    cores: int
    latency_s: float


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds on one core: to handle a message, of both its ends together, and to compute.

    `rule_s` is the rule on q' gradients, the medians are those of q models.
    """

    gradient_s: float
    rule_s: float
    server_median_s: float
    worker_median_s: float
    server_message_s: float
    worker_message_s: float


def step_s(
    cluster: Cluster, size_bytes: float, platform: Platform, work: Work, *, contract_every: int = 1
) -> float:
    """Seconds that a step takes once all is under way; phase 3 in every so-manieth step."""
    phases = Phases(cluster, size_bytes, platform, work)
    counted = contract_every * -(-COUNTED // contract_every)
    begun = np.zeros(cluster.servers)
    for step in range(SETTLING + counted):
        if step == SETTLING:
            first_s = float(np.median(begun))
        begun = phases.step(begun, contract=(step + 1) % contract_every == 0)
    return (float(np.median(begun)) - first_s) / counted


class Phases:
    """A cluster on a platform, and until when its cards and cores are taken."""

    def __init__(
        self, cluster: Cluster, size_bytes: float, platform: Platform, work: Work
    ) -> None:
        self._cluster, self._platform, self._work = cluster, platform, work
        self._servers = np.arange(cluster.servers)
        self._workers = cluster.servers + np.arange(cluster.workers)
        ranks, hosts = platform.hosts.size, platform.bandwidth.size
        self._crowded = bool(np.bincount(platform.hosts).max() > platform.cores)
        self._core_of = platform.hosts if self._crowded else np.arange(ranks)
        self._cores = Lanes(hosts if self._crowded else ranks)
        self._out, self._in = Lanes(hosts), Lanes(hosts)
        self._wire_s = size_bytes / platform.bandwidth

    def step(self, begun_n: Times, *, contract: bool) -> Times:
        """When the servers that begin a step at these times begin the next one, (n,)."""
        cluster, work = self._cluster, self._work
        params = self._exchange(self._servers, self._workers, begun_n, work.worker_message_s)
        agreed = self._combine(
            self._workers, _nth(params, cluster.server_quorum), work.worker_median_s
        )
        computed = self._compute(self._workers, agreed, work.gradient_s)
        votes = self._exchange(self._workers, self._servers, computed, work.server_message_s)
        updated = self._combine(self._servers, _nth(votes, cluster.worker_quorum), work.rule_s)
        if cluster.trusted_server or not contract:
            return updated
        updates = self._exchange(self._servers, self._servers, updated, work.server_message_s)
        # One's own vote is there as soon as it is made.
        np.fill_diagonal(updates, updated)
        ready = np.maximum(updated, _nth(updates, cluster.server_quorum))
        return self._combine(self._servers, ready, work.server_median_s)

    def _exchange(
        self, senders: Places, receivers: Places, ready: Times, message_s: float
    ) -> Times:
        """When each receiver has handled each sender's message, (receivers, senders)."""
        to, by = (grid.ravel() for grid in np.meshgrid(receivers, senders, indexing="ij"))
        arrived = np.tile(ready, receivers.size).astype(np.float64)
        hosts = self._platform.hosts
        away = hosts[to] != hosts[by]
        arrived[away] = self._carried(hosts[by[away]], hosts[to[away]], arrived[away])
        others = to != by
        arrived[others] = self._cores.serve(
            self._core_of[to[others]], arrived[others], self._service_s(receivers, message_s)
        )
        return arrived.reshape(receivers.size, senders.size)

    def _carried(self, source_k: Places, target_k: Places, ready_k: Times) -> Times:
        """When messages between hosts have arrived."""
        left = self._out.serve(source_k, ready_k, self._wire_s)
        # The receiving card is busy from a message's first byte on, not from its last.
        reached = left + self._platform.latency_s - self._wire_s[target_k]
        return self._in.serve(target_k, reached, self._wire_s)

    def _combine(self, ranks: Places, ready: Times, seconds: float) -> Times:
        """A quorum is combined as soon as it is there, before what came after it is handled."""
        if self._crowded:
            return self._compute(ranks, ready, seconds)
        return self._cores.interrupt(ranks, ready, seconds)

    def _compute(self, ranks: Places, ready: Times, seconds: float) -> Times:
        service_s = self._service_s(ranks, seconds)
        return self._cores.serve(self._core_of[ranks], ready, service_s)

    def _service_s(self, ranks: Places, seconds: float) -> Times:
        """Seconds of a core on each core, or of a host whose cores these ranks share."""
        busy = np.bincount(self._core_of[ranks], minlength=self._core_of.max() + 1)
        return seconds / np.clip(busy, 1, self._platform.cores if self._crowded else 1)


def _nth(handled: Times, quorum: int) -> Times:
    """When each receiver has a quorum, (receivers,)."""
    return np.sort(handled, axis=1)[:, quorum - 1]
