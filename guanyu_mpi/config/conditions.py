"""The simulated network that a configuration describes."""

import re
from collections.abc import Iterable, Iterator

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.config.experiment import LinkSection, SimulationSection
from guanyu_mpi.config.sections import (
    ClusterSection,
)
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.transport.conditions import Conditions, Partition
from guanyu_mpi.transport.wire import ROUTES


def node_named(cluster: Cluster, name: str) -> Node:
    """The node called "server-2" or "worker-0"; raises ConfigError if there is none."""
    found = re.fullmatch(r"(server|worker)-(\d+)", name)
    node = Node(Role(found[1]), int(found[2])) if found else None
    if node is None or node.index >= cluster.size(node.role):
        raise ConfigError(
            f"there is no node {name!r}: server-0 to server-{cluster.servers - 1}, "
            f"worker-0 to worker-{cluster.workers - 1}"
        )
    return node


def conditions(cluster: Cluster, section: SimulationSection) -> Conditions:
    """Conditions in seconds, by node."""
    return Conditions(
        delay=section.delay,
        delay_mean_s=section.delay_ms_mean / 1e3,
        process_s=section.process_ms / 1e3,
        compute_s=section.compute_ms / 1e3,
        slow={node_named(cluster, name): factor for name, factor in section.slow.items()},
        links={
            (
                node_named(cluster, link.sender),
                node_named(cluster, link.receiver),
            ): link.delay_ms_mean / 1e3
            for link in section.links
        },
        partitions=tuple(
            Partition(
                frozenset(node_named(cluster, name) for name in cut.nodes), cut.start_s, cut.end_s
            )
            for cut in section.partitions
        ),
    )


def simulation_faults(cluster: ClusterSection, simulation: SimulationSection) -> list[str]:
    """Nodes that do not exist, what is said twice, and what has no effect."""
    nodes = cluster.resolve()
    faults = [
        *_slow_faults(nodes, simulation.slow),
        *_link_faults(nodes, simulation.links),
    ]
    for cut in simulation.partitions:
        faults += _unnamed(nodes, "simulation.partitions", cut.nodes)
        if cut.end_s <= cut.start_s:
            faults.append(
                f"simulation.partitions: end_s = {cut.end_s:g} is not after "
                f"start_s = {cut.start_s:g}"
            )
    return faults


def _slow_faults(nodes: Cluster, names: Iterable[str]) -> Iterator[str]:
    unnamed = _unnamed(nodes, "simulation.slow", names)
    yield from unnamed
    if unnamed:
        return
    # server-2 and server-02 are one node under two names.
    yield from _twice("simulation.slow", [str(node_named(nodes, name)) for name in names])


def _link_faults(nodes: Cluster, links: Iterable[LinkSection]) -> Iterator[str]:
    found = []
    for link in links:
        unnamed = _unnamed(nodes, "simulation.links", (link.sender, link.receiver))
        yield from unnamed
        if unnamed:
            continue
        sender, receiver = node_named(nodes, link.sender), node_named(nodes, link.receiver)
        if sender == receiver or (sender.role, receiver.role) not in ROUTES:
            yield f"simulation.links: {sender} sends nothing to {receiver}, so this has no effect"
        found.append(f"{sender} to {receiver}")
    yield from _twice("simulation.links", found)


def _unnamed(nodes: Cluster, where: str, names: Iterable[str]) -> list[str]:
    """A fault for each name that no node has."""
    faults = []
    for name in names:
        try:
            node_named(nodes, name)
        except ConfigError as error:
            faults.append(f"{where}: {error}")
    return faults


def _twice(where: str, found: list[str]) -> Iterator[str]:
    for name in sorted(name for name in set(found) if found.count(name) > 1):
        yield f"{where}: {name} is there twice"
