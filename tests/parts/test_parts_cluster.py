"""Who is who, and the bounds of the paper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts_harness import CLUSTER, server, worker

from guanyu_mpi.cluster import OBSERVER, Cluster, Node, Role, default_quorum

sizes = st.integers(1, 40)


def cluster_of(servers: int, workers: int, f: int = 0, quorum: int | None = None) -> Cluster:
    """The same f and quorum for both roles."""
    server_quorum = default_quorum(servers, f) if quorum is None else quorum
    worker_quorum = default_quorum(workers, f) if quorum is None else quorum
    return Cluster(servers, f, server_quorum, workers, f, worker_quorum)


@given(servers=sizes, workers=sizes)
def test_ranks_and_nodes_are_in_bijection(servers: int, workers: int) -> None:
    cluster = cluster_of(servers, workers)
    nodes = [cluster.node(rank) for rank in range(cluster.num_ranks)]
    assert [cluster.rank(node) for node in nodes] == list(range(cluster.num_ranks))
    assert nodes == list(cluster)
    assert len(set(nodes)) == servers + workers + 1


def test_servers_come_first_then_workers_and_the_observer_last() -> None:
    assert list(CLUSTER) == [
        *(server(index) for index in range(6)),
        *(worker(index) for index in range(6)),
        OBSERVER,
    ]


@pytest.mark.parametrize(
    ("role", "size", "byzantine"),
    [(Role.SERVER, 6, 1), (Role.WORKER, 9, 2), (Role.OBSERVER, 1, 0)],
)
def test_a_role_has_its_numbers(role: Role, size: int, byzantine: int) -> None:
    cluster = Cluster(6, 1, 5, 9, 2, 7)
    assert cluster.size(role) == len(cluster.nodes(role)) == size
    assert cluster.byzantine(role) == byzantine


def test_each_role_has_a_quorum_of_its_own() -> None:
    cluster = Cluster(6, 1, 5, 9, 2, 7)
    assert cluster.quorum(Role.SERVER) == 5
    assert cluster.quorum(Role.WORKER) == 7


def test_nodes_are_sorted_by_role_and_index_not_by_name() -> None:
    nodes = [worker(2), server(100), worker(11), OBSERVER, server(9)]
    assert sorted(nodes) == [OBSERVER, server(9), server(100), worker(2), worker(11)]


def test_a_node_is_written_as_role_and_index() -> None:
    assert str(Node(Role.WORKER, 7)) == "worker-07"


@pytest.mark.parametrize(
    ("f", "least", "quorum"),
    [(0, 3, 3), (1, 6, 5), (2, 9, 7), (3, 12, 9), (5, 18, 13), (6, 21, 15)],
)
def test_the_smallest_cluster_is_that_of_the_paper(f: int, least: int, quorum: int) -> None:
    """ "n >= 3f + 3", "2f + 3 <= q <= n - f": at n = 3f + 3 there is one quorum."""
    assert cluster_of(least, least, f, quorum).faults() == []
    assert len(cluster_of(least - 1, least - 1, f, quorum).faults()) == 2
    assert len(cluster_of(least, least, f, quorum - 1).faults()) == 2
    assert len(cluster_of(least, least, f, quorum + 1).faults()) == 2


@given(f=st.integers(1, 100), more=st.integers(0, 100))
def test_the_quorum_by_default_is_odd_and_within_the_bounds(f: int, more: int) -> None:
    """Odd, so that a median is one of the values and not the mean of two."""
    nodes = 3 * f + 3 + more
    quorum = default_quorum(nodes, f)
    assert quorum % 2 == 1
    assert cluster_of(nodes, nodes, f, quorum).faults() == []


def test_servers_and_workers_are_judged_apart() -> None:
    (fault,) = Cluster(6, 1, 5, 5, 1, 5).faults()
    assert fault.startswith("cluster.workers = 5 ")
    (fault,) = Cluster(5, 1, 5, 6, 1, 5).faults()
    assert fault.startswith("cluster.servers = 5 ")


def test_a_single_server_is_trusted_and_two_are_not() -> None:
    assert Cluster(1, 0, 1, 6, 1, 5).trusted_server
    assert Cluster(1, 0, 1, 6, 1, 5).faults() == []
    assert not Cluster(3, 0, 3, 6, 1, 5).trusted_server
