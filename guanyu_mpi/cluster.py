"""Who takes part: sizes, Byzantine bounds, quorums, and which rank is which node."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a node does."""

    SERVER = "server"
    WORKER = "worker"
    OBSERVER = "observer"

    # Every message is looked up by its sender. Each role is there once; Enum would hash its name.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Node:
    """A participant: its role and its index within the role."""

    role: Role
    index: int

    def __str__(self) -> str:
        return f"{self.role.value}-{self.index:02d}"

    def __lt__(self, other: "Node") -> bool:
        return (self.role.value, self.index) < (other.role.value, other.index)


OBSERVER = Node(Role.OBSERVER, 0)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Numbers of servers and workers, how many of each may be Byzantine, and their quorums."""

    servers: int
    byzantine_servers: int
    server_quorum: int
    workers: int
    byzantine_workers: int
    worker_quorum: int

    @property
    def trusted_server(self) -> bool:
        """One server, which is trusted: generic Byzantine-resilient SGD, without phase 3."""
        return self.servers == 1

    @property
    def num_ranks(self) -> int:
        """Servers first, then workers, the observer last."""
        return self.servers + self.workers + 1

    def size(self, role: Role) -> int:
        """How many nodes a role has."""
        return {Role.SERVER: self.servers, Role.WORKER: self.workers, Role.OBSERVER: 1}[role]

    def nodes(self, role: Role) -> tuple[Node, ...]:
        """All nodes of a role, by index."""
        return tuple(Node(role, index) for index in range(self.size(role)))

    def __iter__(self) -> Iterator[Node]:
        """All nodes by rank."""
        for role in (Role.SERVER, Role.WORKER, Role.OBSERVER):
            yield from self.nodes(role)

    def rank(self, node: Node) -> int:
        """Rank of a node in the world."""
        before = {Role.SERVER: 0, Role.WORKER: self.servers}
        return before.get(node.role, self.servers + self.workers) + node.index

    def node(self, rank: int) -> Node:
        """Node of a rank of the world."""
        if rank < self.servers:
            return Node(Role.SERVER, rank)
        if rank < self.servers + self.workers:
            return Node(Role.WORKER, rank - self.servers)
        return OBSERVER

    def byzantine(self, role: Role) -> int:
        """How many nodes of a role are tolerated to be Byzantine."""
        tolerated = {Role.SERVER: self.byzantine_servers, Role.WORKER: self.byzantine_workers}
        return tolerated.get(role, 0)

    def quorum(self, role: Role) -> int:
        """How many nodes of a role a step waits for."""
        return {Role.SERVER: self.server_quorum, Role.WORKER: self.worker_quorum}[role]

    def faults(self) -> list[str]:
        """What is wrong with these numbers, in the user's words; empty if nothing is."""
        if self.trusted_server:
            return _trusted_server_faults(self)
        return _guanyu_faults(self, Role.SERVER) + _guanyu_faults(self, Role.WORKER)


def default_quorum(nodes: int, byzantine: int) -> int:
    """GuanYu's smallest quorum 2f + 3, which is odd; without Byzantine nodes everyone."""
    return nodes if byzantine == 0 else 2 * byzantine + 3


def _guanyu_faults(cluster: Cluster, role: Role) -> list[str]:
    """El-Mhamdi, Guerraoui, Guirguis 2019: n >= 3f + 3 and 2f + 3 <= q <= n - f, per role."""
    nodes, byzantine = cluster.size(role), cluster.byzantine(role)
    quorum, noun = cluster.quorum(role), role.value
    if nodes < 3 * byzantine + 3:
        alone = ", or 1 that is trusted" if role is Role.SERVER else ""
        return [
            f"cluster.{noun}s = {nodes} cannot tolerate byzantine_{noun}s = {byzantine}: "
            f"needs at least 3f + 3 = {3 * byzantine + 3}{alone}"
        ]
    low, high = 2 * byzantine + 3, nodes - byzantine
    if not low <= quorum <= high:
        return [
            f"cluster.{noun}_quorum = {quorum} is out of bounds: "
            f"needs 2f + 3 = {low} <= q <= n - f = {high}"
        ]
    return []


def _trusted_server_faults(cluster: Cluster) -> list[str]:
    """One server must be trusted; how many workers are needed is the rule's own condition."""
    faults = []
    if cluster.byzantine_servers:
        faults.append(
            f"cluster.byzantine_servers = {cluster.byzantine_servers} with servers = 1: a single "
            "server must be trusted (0), or use at least 3f + 3 servers"
        )
    if cluster.server_quorum != 1:
        faults.append(
            f"cluster.server_quorum = {cluster.server_quorum} with servers = 1: must be 1"
        )
    high = cluster.workers - cluster.byzantine_workers
    if high < 1:
        faults.append(
            f"cluster.byzantine_workers = {cluster.byzantine_workers} of "
            f"cluster.workers = {cluster.workers}: must be fewer"
        )
    elif not 1 <= cluster.worker_quorum <= high:
        faults.append(
            f"cluster.worker_quorum = {cluster.worker_quorum} is out of bounds: "
            f"needs 1 <= q <= n - f = {high}"
        )
    return faults
