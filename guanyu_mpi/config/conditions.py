"""The simulated network that a configuration describes."""

import re

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.config.sections import SimulationSection
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.transport.conditions import Conditions, Partition


def node_named(cluster: Cluster, name: str) -> Node:
    """The node called "server-2" or "worker-0"; raises ConfigError if there is none."""
    found = re.fullmatch(r"(server|worker)-(\d+)", name)
    node = Node(Role(found[1]), int(found[2])) if found else None
    if node is None or node not in cluster.nodes(node.role):
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
