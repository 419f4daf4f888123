"""What a configuration will cost and tolerate, said before anything is started."""

from pathlib import Path

from guanyu_mpi.aggregation import RULES
from guanyu_mpi.attackers import Attackers
from guanyu_mpi.checkpoint import Plan
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.config import Config
from guanyu_mpi.config.injections import injections, struck
from guanyu_mpi.cores import described as threads_described
from guanyu_mpi.costs import average, flow, memory, observed, rule_operations, traffic
from guanyu_mpi.models import ModelSpec, describe
from guanyu_mpi.run_dir import refuse_another_run
from guanyu_mpi.saves import Saves
from guanyu_mpi.transport.wire import Element, frame_bytes

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


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
    spec = describe(config.model.name, config.model.options, config.run.seed)
    attackers = ", ".join(str(node) for node in sorted(config.attackers)) or "nobody"
    return [
        *algorithm(cluster),
        *_seldom(config),
        layout(cluster),
        f"attacking: {attackers}",
        *(f"struck: {fault}" for fault in injections(cluster, config.faults)),
        f"model {config.model.name}: {spec.dimension:,} parameters",
        *_moved(config, spec.dimension),
        _held(config, spec.dimension),
        *_computed(config, spec),
        threads_described(),
    ]


def _seldom(config: Config) -> list[str]:
    """That servers go on alone for some steps, if they do."""
    every = config.train.contract_every
    if every == 1:
        return []
    return [
        f"servers contract {_every(every)}, and each goes on alone in between; "
        "what they send per step is an average, and a life of fewer steps saves nothing"
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


def _moved(config: Config, dimension: int) -> list[str]:
    """Who sends how much in a step."""
    cluster, element = config.nodes, config.transport.element
    seen, every = observed(cluster, dimension), config.observe.every
    whole, narrowed = frame_bytes(dimension), frame_bytes(dimension, element)
    contract_every, overheard = config.train.contract_every, _overheard(config)
    moved, alone = (
        traffic(cluster, dimension, element, overheard=overheard, contracting=contracting)
        for contracting in (True, False)
    )
    messages = average(moved.messages, alone.messages, contract_every)
    size_bytes = average(moved.size_bytes, alone.size_bytes, contract_every)
    sent, alone_sent = (
        flow(cluster, Role.SERVER, contracting=contracting).sent for contracting in (True, False)
    )
    server = average(sent, alone_sent, contract_every)
    server_bytes = cluster.workers * narrowed + (server - cluster.workers) * whole
    worker = flow(cluster, Role.WORKER)
    return [
        f"per step: {_number(messages)} messages of {size(whole)}, "
        f"{_narrowed(config, dimension)}{size(size_bytes)} over all links; "
        f"{size(seen.size_bytes)} to the observer {_every(every)}",
        f"per step and way: server {_number(server)} messages, {size(server_bytes)}; "
        f"worker {worker.sent} messages, {size(worker.sent * narrowed)}",
    ]


def _number(messages: float) -> str:
    """A number of messages, or an average to a tenth."""
    return f"{round(messages, 1):.12g}"


def _every(steps: int) -> str:
    return "every step" if steps == 1 else f"every {steps} steps"


def _held(config: Config, dimension: int) -> str:
    held = memory(config.nodes, dimension, momentum=config.train.momentum > 0)
    return (
        f"vectors per rank, at most: server {size(held.server_bytes)}, "
        f"worker {size(held.worker_bytes)}, observer {size(held.observer_bytes)}"
    )


def _computed(config: Config, spec: ModelSpec) -> list[str]:
    """Operations of a step, of those parts of which they are known."""
    cluster, rules = config.nodes, config.aggregation
    q, f = cluster.server_quorum, cluster.byzantine_servers
    q_workers, f_workers = cluster.worker_quorum, cluster.byzantine_workers
    parts = {
        "a worker's gradient": (spec.gradient_operations or 0) * config.train.batch_size,
        f"{rules.gradients} of {q_workers} gradients": spec.dimension
        * (0 if rules.pre else rule_operations(rules.gradients, q_workers, f_workers) or 0),
        f"{rules.models} of {q} models": spec.dimension
        * (rule_operations(rules.models, q, f) or 0),
    }
    known = [f"{name} {count:.3g}" for name, count in parts.items() if count]
    return [f"operations per step: {', '.join(known)}"] if known else []


def _overheard(config: Config) -> int:
    """Messages of a step that honest nodes send to the spies of their role."""
    spies = Attackers(config).spies
    return sum((config.nodes.size(spy.role) - _attacking(config, spy.role)) for spy in spies)


def _hit(config: Config, role: Role) -> int:
    return sum(node.role is role for node in config.attackers | struck(config))


def _attacking(config: Config, role: Role) -> int:
    return sum(node.role is role for node in config.attackers)
