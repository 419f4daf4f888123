"""What a configuration will cost and tolerate, said before anything is started."""

from dataclasses import dataclass
from pathlib import Path

from guanyu_mpi.aggregation import RULES
from guanyu_mpi.checkpoint import Plan
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.config import Config
from guanyu_mpi.config.injections import injections, struck
from guanyu_mpi.cores import described as threads_described
from guanyu_mpi.models import describe
from guanyu_mpi.protocol.quorum import STEPS_KEPT
from guanyu_mpi.run_dir import refuse_another_run
from guanyu_mpi.saves import Saves
from guanyu_mpi.transport.outbox import MESSAGES_PER_RECEIVER
from guanyu_mpi.transport.wire import Element, frame_bytes

# Of a worker with momentum: what it began with, its last two, and the next in two parts.
AVERAGES = 5

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages of one step over all links, and their bytes."""

    messages: int
    size_bytes: int


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


def traffic(cluster: Cluster, dimension: int, narrowed: Element = Element.FLOAT32) -> Traffic:
    """n n' Params and n' n Gradients, which may be narrowed, and n (n - 1) Updates."""
    servers, workers = cluster.servers, cluster.workers
    to_and_from, between = 2 * servers * workers, servers * (servers - 1)
    size_bytes = to_and_from * frame_bytes(dimension, narrowed) + between * frame_bytes(dimension)
    return Traffic(to_and_from + between, size_bytes)


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


def layout(cluster: Cluster) -> str:
    """Which ranks are what."""
    last_server, last = cluster.servers - 1, cluster.num_ranks - 1
    return (
        f"{cluster.num_ranks} ranks: servers 0-{last_server}, "
        f"workers {cluster.servers}-{last - 1}, observer {last}"
    )


def algorithm(cluster: Cluster) -> list[str]:
    """The algorithm that these numbers make, and the bounds that they meet."""
    if cluster.trusted_server:
        return [
            "Byzantine-resilient SGD: one trusted server (Blanchard et al. 2017)",
            f"workers: waits for {cluster.worker_quorum} of {cluster.workers}, "
            f"tolerates {cluster.byzantine_workers} Byzantine",
        ]
    return ["GuanYu: no rank is trusted (El-Mhamdi, Guerraoui, Guirguis 2019)"] + [
        f"{role.value}s: n = {nodes} >= 3f + 3 = {3 * f + 3}, "
        f"quorum 2f + 3 = {2 * f + 3} <= {cluster.quorum(role)} <= n - f = {nodes - f}"
        for role in (Role.SERVER, Role.WORKER)
        for nodes, f in [(cluster.size(role), cluster.byzantine(role))]
    ]


def warnings(config: Config) -> list[str]:
    """What is allowed, and outside what the theory promises."""
    cluster, rule = config.nodes, RULES[config.aggregation.gradients]
    found = []
    if not rule.resilient and (cluster.byzantine_workers or _attacking(config, Role.WORKER)):
        found.append(
            f"aggregation.gradients = {config.aggregation.gradients!r} tolerates no Byzantine "
            "worker, whatever cluster.byzantine_workers says"
        )
    if not cluster.trusted_server and config.aggregation.models != "median":
        found.append(
            f"aggregation.models = {config.aggregation.models!r}: GuanYu's proof needs the median"
        )
    for role in (Role.SERVER, Role.WORKER):
        attacking, hit = _attacking(config, role), _hit(config, role)
        if max(attacking, hit) > cluster.byzantine(role):
            who = f"attackers among the {role.value}s: {attacking}"
            if hit > attacking:
                who = f"attackers and struck nodes among the {role.value}s: {hit}"
            found.append(
                f"{who}, more than are tolerated: "
                f"cluster.byzantine_{role.value}s = {cluster.byzantine(role)}"
            )
    return found


def report(config: Config) -> list[str]:
    """All of the above as lines for a person."""
    cluster = config.nodes
    dimension = describe(config.model.name, config.model.options, config.run.seed).dimension
    moved = traffic(cluster, dimension, config.transport.element)
    held = memory(cluster, dimension, momentum=config.train.momentum > 0)
    attackers = ", ".join(str(node) for node in sorted(config.attackers)) or "nobody"
    return [
        *algorithm(cluster),
        layout(cluster),
        f"attacking: {attackers}",
        *(f"struck: {fault}" for fault in injections(cluster, config.faults)),
        f"model {config.model.name}: {dimension:,} parameters",
        f"per step: {moved.messages} messages of {size(frame_bytes(dimension))}, "
        f"{_narrowed(config, dimension)}{size(moved.size_bytes)} over all links",
        f"vectors per rank, at most: server {size(held.server_bytes)}, "
        f"worker {size(held.worker_bytes)}, observer {size(held.observer_bytes)}",
        threads_described(),
    ]


def _narrowed(config: Config, dimension: int) -> str:
    """How large those messages are that are of another size, if there are any."""
    element = config.transport.element
    if element is Element.FLOAT32:
        return ""
    size_bytes = frame_bytes(dimension, element)
    return f"those to and from workers of {size(size_bytes)} ({config.transport.wire_dtype}), "


def restart(config: Config, run_dir: Path) -> Plan:
    """What a run in this directory will begin with; raises what starting it would raise."""
    refuse_another_run(run_dir, config)
    return _saves(config, run_dir).plan()


def accept_fewer(config: Config, run_dir: Path) -> list[str]:
    """Make a restart possible from what too few servers hold, and say what is wrong with that."""
    doubt = _saves(config, run_dir).accept_fewer()
    return [doubt] if doubt else []


def size(size_bytes: float) -> str:
    """A number of bytes with three digits and its unit.

    >>> size(432), size(7_025_736), size(1_728_330_000)
    ('432 B', '6.70 MiB', '1.61 GiB')
    """
    power = 0
    while size_bytes >= 1000 and power < len(UNITS) - 1:
        size_bytes, power = size_bytes / 1024, power + 1
    digits = 0 if power == 0 or size_bytes >= 100 else 1 if size_bytes >= 10 else 2
    return f"{size_bytes:,.{digits}f} {UNITS[power]}"


def _saves(config: Config, run_dir: Path) -> Saves:
    spec = describe(config.model.name, config.model.options, config.run.seed)
    return Saves(config, spec, run_dir)


def _hit(config: Config, role: Role) -> int:
    return sum(node.role is role for node in config.attackers | struck(config))


def _attacking(config: Config, role: Role) -> int:
    return sum(node.role is role for node in config.attackers)
