"""What a step costs by role: messages, bytes, memory, operations. A model: nothing is measured.

n servers go on with q of them, n' workers with q' of them, and a vector has d numbers. Counted is
what is sent where nobody lags; a message that a newer one replaces is never sent.
"""

from collections.abc import Callable
from dataclasses import dataclass

from guanyu_mpi.aggregation.gathering import TOGETHER
from guanyu_mpi.aggregation.kernels.network import selection_network
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.protocol.quorum import STEPS_KEPT
from guanyu_mpi.resilience import num_numbers
from guanyu_mpi.transport.outbox import MESSAGES_PER_RECEIVER
from guanyu_mpi.transport.wire import Element, frame_bytes

# Of a worker with momentum: what it began with, two of which servers may take either, its newest,
# and the next in two parts.
AVERAGES = 6


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages of one step over all links, and their bytes."""

    messages: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Vectors that one node sends and receives in a step."""

    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Most bytes of vectors that a rank of each role can hold at once.

    Torch and data come on top, and reports to the observer, of a number or so per worker.
    Per sender the votes kept and one frame arriving, per receiver the frames being sent, and what
    is prepared and computed of a quorum.
    """

    server_bytes: int
    worker_bytes: int
    observer_bytes: int


def traffic(
    cluster: Cluster,
    dimension: int,
    narrowed: Element = Element.FLOAT32,
    *,
    overheard: int = 0,
    contracting: bool = True,
) -> Traffic:
    """n n' Params, n' n Gradients, n (n - 1) Updates, and what spies are told besides.

    All but the Updates may be narrowed; these there are only in a step that contracts.
    """
    servers, workers = cluster.servers, cluster.workers
    to_and_from, between = 2 * servers * workers + overheard, contracting * servers * (servers - 1)
    size_bytes = to_and_from * frame_bytes(dimension, narrowed) + between * frame_bytes(dimension)
    return Traffic(to_and_from + between, size_bytes)


def observed(cluster: Cluster, dimension: int) -> Traffic:
    """What the observer gets besides of a step that it observes: n Params and n reports."""
    report_bytes = frame_bytes(num_numbers(cluster.workers))
    servers = cluster.servers
    return Traffic(2 * servers, servers * (frame_bytes(dimension) + report_bytes))


def flow(cluster: Cluster, role: Role, *, contracting: bool = True) -> Flow:
    """A server talks to all workers and, if it contracts, the others; a worker to all servers."""
    match role:
        case Role.SERVER:
            peers = cluster.workers + contracting * (cluster.servers - 1)
            return Flow(peers, peers)
        case Role.WORKER:
            return Flow(cluster.servers, cluster.servers)
        case Role.OBSERVER:
            return Flow(0, cluster.servers)


def average(contracting: int, alone: int, contract_every: int) -> float:
    """Of T steps, of which one contracts.

    >>> average(contracting=102, alone=72, contract_every=10)
    75.0
    """
    return alone + (contracting - alone) / contract_every


def memory(cluster: Cluster, dimension: int, *, momentum: bool = False) -> Memory:
    """The bound on each role's vectors."""
    arriving = STEPS_KEPT + 1
    servers, workers = cluster.servers, cluster.workers
    # Votes that were replaced while a quorum was prepared, and the median's middle values.
    prepared = cluster.server_quorum + 3
    server = (
        arriving * (servers - 1 + workers)
        + STEPS_KEPT  # its own votes
        + MESSAGES_PER_RECEIVER * (servers - 1 + workers + 1)
        + prepared
        + 2 * cluster.worker_quorum  # the same of gradients, and mixtures of them
        + 3  # params, aggregate, update
        + 2  # copies of params: one that is being saved, and one that is to be
    )
    worker = arriving * servers + MESSAGES_PER_RECEIVER * servers + prepared + 3
    worker += AVERAGES if momentum else 0
    observer = arriving * servers + 2 * cluster.server_quorum + 1
    return Memory(*(vectors * frame_bytes(dimension) for vectors in (server, worker, observer)))


def rule_operations(name: str, n: int, f: int) -> int | None:
    """Operations that a rule takes per coordinate of n vectors, at most; None if not known.

    f of them may be Byzantine. Comparisons count, and what looks for infinities does not.
    """
    operations = _OPERATIONS.get(name)
    return operations(n, f) if operations else None


def _average(n: int, _: int) -> int:
    return n


def _median(n: int, _: int) -> int:
    return _minima_and_maxima(n, {(n - 1) // 2, n // 2})


def _trimmed_mean(n: int, f: int) -> int:
    """Sorted, and n - 2f values averaged."""
    return _sorted(n) + n - 2 * f + 1


def _meamed(n: int, f: int) -> int:
    return _nearest_mean(n, n - f)


def _phocas(n: int, f: int) -> int:
    """Around a mean of n - 2f values, where MeaMed has the two middle ones."""
    return _nearest_mean(n, n - f) + n - 2 * f


def _linear(n: int, _: int) -> int:
    """Inner products of each vector with those up to its group of four; then a weighted sum."""
    return n * (n + TOGETHER) + 2 * n


def _aksel(n: int, f: int) -> int:
    """Products of the vectors and their median, with each other; then a mean of n - f at most."""
    return _median(n, f) + (n + 1) * (n + 2) + n - f


def _bulyan(n: int, f: int) -> int:
    """Products, then averages of n - f - 2 vectors, one less each time, and those near them."""
    averages = n - 2 * f - 2
    averaged = sum(n - f - 2 - k for k in range(averages))
    nearest = _nearest_mean(averages, averages - 2 * f)
    return n * (n + TOGETHER) + 2 * averaged + nearest


def _nearest_mean(n: int, keep: int) -> int:
    """Sorted; 3 for the centre, and 1 for its half; 6 for each place where the values that are
    kept may begin; 6 to add up each value if it is kept; and 1 for their mean.
    """
    return _sorted(n) + 4 + 6 * (n - keep) + 6 * n + 1


def _sorted(n: int) -> int:
    return _minima_and_maxima(n, set(range(n)))


def _minima_and_maxima(n: int, ranks: set[int]) -> int:
    """Of the selection network for some ranks of n values."""
    network = selection_network(n, frozenset(ranks))
    return sum(comparator.writes_first + comparator.writes_second for comparator in network)


_LINEAR = ("caf", "centered-clipping", "cge", "geometric-median", "krum", "mda", "multi-krum")
_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "aksel": _aksel,
    "average": _average,
    "bulyan": _bulyan,
    "meamed": _meamed,
    "median": _median,
    "phocas": _phocas,
    "trimmed-mean": _trimmed_mean,
    **dict.fromkeys(_LINEAR, _linear),
}
