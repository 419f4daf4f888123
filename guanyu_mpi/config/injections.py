"""The faults that a configuration injects."""

from collections import Counter
from collections.abc import Iterator

from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.config.conditions import node_named
from guanyu_mpi.config.experiment import FaultsSection, InjectionSection
from guanyu_mpi.config.sections import (
    ClusterSection,
    Config,
    RunSection,
)
from guanyu_mpi.errors import ConfigError, unknown
from guanyu_mpi.faults.kinds import KINDS, SIGNALS, Injection
from guanyu_mpi.transport.wire import ROUTES

# Who, when and what; all other keys are options of a kind.
ALWAYS = frozenset({"node", "step", "kind"})


def injections(cluster: Cluster, section: FaultsSection) -> tuple[Injection, ...]:
    """Faults by node, with what was left out filled in."""
    return tuple(_injection(cluster, fault) for fault in section.inject)


def struck(config: Config) -> frozenset[Node]:
    """The nodes that a fault is injected into."""
    return frozenset(node_named(config.nodes, fault.node) for fault in config.faults.inject)


def injection_faults(
    run: RunSection, cluster: ClusterSection, section: FaultsSection
) -> list[str]:
    """Nodes and kinds that do not exist, steps beyond the run, and what has no effect."""
    nodes = cluster.resolve()
    faults = []
    for index, injection in enumerate(section.inject):
        where = f"faults.inject[{index}]"
        found = [*_who(nodes, injection), *_when(run, injection), *_how(injection)]
        faults += [f"{where}{fault}" for fault in found]
    # Which of two comes first can be said only of faults that are right.
    return faults or [*_twice(nodes, section), *_too_late(nodes, section)]


def _injection(cluster: Cluster, section: InjectionSection) -> Injection:
    given = section.model_dump(exclude_none=True, exclude={*ALWAYS, "receivers"})
    receivers = section.receivers
    return Injection(
        node_named(cluster, section.node),
        section.step,
        section.kind,
        **{"count": KINDS[section.kind].count, **given},
        receivers=None
        if receivers is None
        else frozenset(node_named(cluster, name) for name in receivers),
    )


def _who(cluster: Cluster, injection: InjectionSection) -> Iterator[str]:
    node = _node(cluster, injection.node)
    if isinstance(node, ConfigError):
        yield f".node: {node}"
    elif injection.kind in KINDS and not KINDS[injection.kind].strikes(node):
        yield f".kind: {injection.kind!r} has no effect on {node}, which computes no gradients"
    for name in injection.receivers or ():
        receiver = _node(cluster, name)
        if isinstance(receiver, ConfigError):
            yield f".receivers: {receiver}"
        elif isinstance(node, Node) and not _speaks(node, receiver):
            yield f".receivers: {node} sends nothing to {receiver}, so this has no effect"


def _when(run: RunSection, injection: InjectionSection) -> Iterator[str]:
    if injection.step >= run.steps:
        yield f".step = {injection.step}: the steps of this run are 0 to {run.steps - 1}"


def _how(injection: InjectionSection) -> Iterator[str]:
    kind = KINDS.get(injection.kind)
    if kind is None:
        yield f".kind: {unknown('kind of fault', injection.kind, KINDS)}"
        return
    for key in sorted(injection.model_fields_set - ALWAYS - set(kind.options)):
        has = ", ".join(kind.options) or "none"
        yield f".{key} has no effect on a fault of kind {injection.kind!r}; its options: {has}"
    for key in kind.needs:
        if key not in injection.model_fields_set:
            yield f".{key} is missing: kind {injection.kind!r} needs it"
    if injection.signal is not None and injection.signal not in SIGNALS:
        yield f".signal: {unknown('signal', injection.signal, SIGNALS)}"
    if injection.signal is not None and injection.exit_code is not None:
        yield ": signal and exit_code exclude each other"


def _twice(cluster: Cluster, section: FaultsSection) -> Iterator[str]:
    times = Counter(str(injection) for injection in injections(cluster, section))
    for what in sorted(what for what, count in times.items() if count > 1):
        yield f"faults.inject: {what} is there twice"


def _too_late(cluster: Cluster, section: FaultsSection) -> Iterator[str]:
    """Faults of a node that another one has ended before."""
    found = injections(cluster, section)
    for end in found:
        later = (one for one in found if one.node == end.node and _after(one, end))
        for fault in later if KINDS[end.kind].ends else ():
            yield f"faults.inject: {fault} has no effect after {end.kind} at step {end.step}"


def _after(fault: Injection, end: Injection) -> bool:
    """Whether a node that `end` has ended is not there any more when the fault strikes."""
    return fault.step > end.step or (
        fault.step == end.step and fault.kind != end.kind and KINDS[fault.kind].ends
    )


def _speaks(sender: Node, receiver: Node) -> bool:
    return sender != receiver and (sender.role, receiver.role) in ROUTES


def _node(cluster: Cluster, name: str) -> Node | ConfigError:
    """The node of a name, or what is wrong with it."""
    try:
        return node_named(cluster, name)
    except ConfigError as error:
        return error
