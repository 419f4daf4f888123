"""Who is on which node, and what is to be asked of Slurm for that."""

import pytest

from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.placement import layout, placement, report, sbatch_lines, warnings

# The deployment of the paper: 6 servers (f = 1), 18 workers (f' = 5), and an observer.
PAPER = Cluster(6, 1, 5, 18, 5, 13)


@pytest.mark.parametrize("nodes", range(6, 26))
def test_with_nodes_enough_a_lost_node_costs_one_server(nodes: int) -> None:
    assert placement(PAPER, nodes).lost_with_a_node(Role.SERVER) == 1


@pytest.mark.parametrize("nodes", range(1, 26))
def test_every_rank_is_on_one_node_and_no_node_is_empty(nodes: int) -> None:
    placed = placement(PAPER, nodes)
    there = [placed.on(node) for node in range(nodes)]
    assert sorted(PAPER.rank(one) for ranks in there for one in ranks) == list(range(25))
    assert {len(ranks) for ranks in there} <= {placed.ranks_per_node, placed.ranks_per_node - 1}


def test_each_server_has_a_node_of_its_own_unless_told_otherwise() -> None:
    assert placement(PAPER, None).nodes == 6


def test_slurm_is_asked_for_a_task_per_rank() -> None:
    assert sbatch_lines(placement(PAPER, None)) == [
        "#SBATCH --nodes=6",
        "#SBATCH --ntasks=25",
        "#SBATCH --ntasks-per-node=5",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --distribution=cyclic",
    ]


def test_the_layout_says_what_a_lost_node_costs() -> None:
    assert layout(placement(Cluster(6, 1, 5, 6, 1, 5), 6)) == [
        "node 0: server-00, worker-00, observer-00",
        "node 1: server-01, worker-01",
        "node 2: server-02, worker-02",
        "node 3: server-03, worker-03",
        "node 4: server-04, worker-04",
        "node 5: server-05, worker-05",
        "a lost node costs at most 1 of 6 servers (1 tolerated) and 1 of 6 workers (1 tolerated)",
    ]


def test_what_is_tolerated_needs_no_warning() -> None:
    assert warnings(placement(PAPER, 6)) == []


def test_a_node_that_a_run_cannot_do_without_is_a_warning() -> None:
    assert warnings(placement(PAPER, 3)) == [
        "a node holds 2 servers, and cluster.byzantine_servers = 1: a run that loses it restarts "
        "from its checkpoints; more --nodes may help",
        "a node holds 6 workers, and cluster.byzantine_workers = 5: a run that loses it restarts "
        "from its checkpoints; more --nodes may help",
    ]


@pytest.mark.parametrize("nodes", [-1, 0, 26])
def test_as_many_nodes_as_ranks_are_of_use(nodes: int) -> None:
    with pytest.raises(ConfigError, match=f"--nodes {nodes}: must be 1 to 25"):
        placement(PAPER, nodes)


def test_one_node_holds_them_all() -> None:
    assert report(placement(PAPER, 1))[1] == "#SBATCH --ntasks=25"
    assert len(placement(PAPER, 1).on(0)) == 25
