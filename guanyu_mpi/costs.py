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

# Of a worker with momentum: what it began with, its last two, and the next in two parts.
AVERAGES = 5


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
) -> Traffic:
    """n n' Params, n' n Gradients, n (n - 1) Updates, and what spies are told besides.

    All but the Updates may be narrowed.
    """
    servers, workers = cluster.servers, cluster.workers
    to_and_from, between = 2 * servers * workers + overheard, servers * (servers - 1)
    size_bytes = to_and_from * frame_bytes(dimension, narrowed) + between * frame_bytes(dimension)
    return Traffic(to_and_from + between, size_bytes)


def observed(cluster: Cluster, dimension: int) -> Traffic:
    """What the observer gets besides of a step that it observes: n Params and n reports."""
    report_bytes = frame_bytes(num_numbers(cluster.workers))
    servers = cluster.servers
    return Traffic(2 * servers, servers * (frame_bytes(dimension) + report_bytes))


def flow(cluster: Cluster, role: Role) -> Flow:
    """A server talks to all workers and the other servers, a worker to all servers."""
    match role:
        case Role.SERVER:
            peers = cluster.workers + cluster.servers - 1
            return Flow(peers, peers)
        case Role.WORKER:
            return Flow(cluster.servers, cluster.servers)
        case Role.OBSERVER:
            return Flow(0, cluster.servers)


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
    )
    worker = arriving * servers + MESSAGES_PER_RECEIVER * servers + prepared + 3
    worker += AVERAGES if momentum else 0
    observer = arriving * servers + 2 * cluster.server_quorum + 1
    return Memory(*(vectors * frame_bytes(dimension) for vectors in (server, worker, observer)))


def rule_operations(name: str, vectors: int) -> int | None:
    """Operations that a rule takes per coordinate of n vectors, at most; None if not known."""
    operations = _OPERATIONS.get(name)
    return operations(vectors) if operations else None


def _sums(n: int) -> int:
    return n


def _minima_and_maxima(n: int) -> int:
    """Of the selection network for the middle of n values."""
    network = selection_network(n, frozenset({(n - 1) // 2, n // 2}))
    return sum(comparator.writes_first + comparator.writes_second for comparator in network)


def _products(n: int) -> int:
    """Inner products of each vector with those up to its group of four; then a weighted sum."""
    return n * (n + TOGETHER) + 2 * n


_OPERATIONS: dict[str, Callable[[int], int]] = {
    "average": _sums,
    "median": _minima_and_maxima,
    **dict.fromkeys(("caf", "cge", "geometric-median", "krum", "mda", "multi-krum"), _products),
}
