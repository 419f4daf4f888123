"""The communicators of a run, made once by all ranks together, and where each peer is in them."""

from collections.abc import Collection
from dataclasses import dataclass

from mpi4py import MPI

from guanyu_mpi.cluster import Cluster, Node, Role

# Whom a node exchanges messages with; workers never talk among themselves, unless some are spies.
PEERS: dict[Role, tuple[Role, ...]] = {
    Role.SERVER: (Role.SERVER, Role.WORKER, Role.OBSERVER),
    Role.WORKER: (Role.SERVER,),
    Role.OBSERVER: (Role.SERVER,),
}


@dataclass(frozen=True, slots=True)
class Link:
    """A peer's address: a communicator, and the peer's rank in it."""

    comm: MPI.Comm
    rank: int


@dataclass(frozen=True, slots=True)
class Links:
    """Where a rank's peers are; and where others, or they themselves, could send what is stray."""

    peers: dict[Node, Link]
    strangers: tuple[tuple[Node, Link], ...]


def connect(world: MPI.Intracomm, cluster: Cluster, spies: Collection[Node] = ()) -> Links:
    """Links of this rank; collective over the world, and the last collective call.

    Servers talk to each other on the server communicator (phase 3), everyone else on a duplicate
    of the world that nobody else knows (phases 1 and 2).
    """
    node = cluster.node(world.rank)
    everyone = world.Dup()
    colour = list(Role).index(node.role)
    same_role = world.Split(colour, key=node.index)
    for comm in (world, everyone, same_role):
        comm.Set_errhandler(MPI.ERRORS_RETURN)
    peers = {peer for role in PEERS[node.role] for peer in cluster.nodes(role)}
    peers |= {peer for peer in cluster.nodes(node.role) if node in spies or peer in spies}
    links = {
        peer: Link(same_role, peer.index)
        if peer.role is node.role
        else Link(everyone, cluster.rank(peer))
        for peer in sorted(peers - {node}, key=cluster.rank)
    }
    possible = [
        (other, link)
        for other in cluster
        if other != node
        for link in _ways_to(other, node, cluster, (world, everyone), same_role)
    ]
    return Links(
        links, tuple((other, link) for other, link in possible if links.get(other) != link)
    )


def _ways_to(
    other: Node,
    node: Node,
    cluster: Cluster,
    of_all: Collection[MPI.Comm],
    of_its_role: MPI.Comm,
) -> list[Link]:
    """Every address that another node has for this one."""
    ways = [Link(comm, cluster.rank(other)) for comm in of_all]
    return [*ways, Link(of_its_role, other.index)] if other.role is node.role else ways
