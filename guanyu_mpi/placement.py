"""Which ranks share a node, and what Slurm is to be asked for to have it so."""

from dataclasses import dataclass
from math import ceil

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Placement:
    """Ranks dealt out to nodes in turn: `mpirun --map-by node`, `srun --distribution=cyclic`.

    The servers are the first ranks, so no node gets a second one before every node has one.
    """

    cluster: Cluster
    nodes: int

    @property
    def ranks_per_node(self) -> int:
        """Most ranks on one node."""
        return ceil(self.cluster.num_ranks / self.nodes)

    def on(self, node: int) -> list[Node]:
        """Who is on a node."""
        ranks = range(node, self.cluster.num_ranks, self.nodes)
        return [self.cluster.node(rank) for rank in ranks]

    def lost_with_a_node(self, role: Role) -> int:
        """Most of a role that one lost node can take along."""
        return max(sum(one.role is role for one in self.on(node)) for node in range(self.nodes))


def placement(cluster: Cluster, nodes: int | None) -> Placement:
    """Over so many nodes, or one for every server; raises ConfigError."""
    nodes = cluster.servers if nodes is None else nodes
    if not 1 <= nodes <= cluster.num_ranks:
        raise ConfigError(
            f"--nodes {nodes}: must be 1 to {cluster.num_ranks}, the number of ranks"
        )
    return Placement(cluster, nodes)


def report(placed: Placement) -> list[str]:
    """The lines that a job script needs, and what comes of them."""
    return [*sbatch_lines(placed), *layout(placed)]


def sbatch_lines(placed: Placement) -> list[str]:
    """What a job script has to ask for."""
    return [
        f"#SBATCH --nodes={placed.nodes}",
        f"#SBATCH --ntasks={placed.cluster.num_ranks}",
        f"#SBATCH --ntasks-per-node={placed.ranks_per_node}",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --distribution=cyclic",
    ]


def layout(placed: Placement) -> list[str]:
    """Who is on which node, and what a lost one costs."""
    where = [
        f"node {node}: " + ", ".join(str(one) for one in placed.on(node))
        for node in range(placed.nodes)
    ]
    costs = [
        f"{placed.lost_with_a_node(role)} of {placed.cluster.size(role)} {role.value}s "
        f"({placed.cluster.byzantine(role)} tolerated)"
        for role in (Role.SERVER, Role.WORKER)
    ]
    return [*where, f"a lost node costs at most {' and '.join(costs)}"]


def warnings(placed: Placement) -> list[str]:
    """Why the loss of one node would be more than is tolerated."""
    return [
        f"a node holds {lost} {role.value}s, and cluster.byzantine_{role.value}s = "
        f"{placed.cluster.byzantine(role)}: a run that loses it restarts from its checkpoints; "
        "more --nodes may help"
        for role in (Role.SERVER, Role.WORKER)
        if (lost := placed.lost_with_a_node(role)) > placed.cluster.byzantine(role)
    ]
