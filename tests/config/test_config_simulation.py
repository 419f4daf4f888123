"""The simulated network: nodes that exist, links that carry something, partitions that heal."""

from dataclasses import replace

import pytest
from config_cases import config_of, faults_of

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.config.conditions import conditions, node_named
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.transport.conditions import Conditions, Partition

CLUSTER = Cluster(6, 1, 5, 9, 1, 5)
KNOWN = "server-0 to server-5, worker-0 to worker-5"


def link(sender: str, receiver: str) -> dict[str, object]:
    return {"sender": sender, "receiver": receiver, "delay_ms_mean": 5}


def cut(*nodes: str, start_s: float = 1.0, end_s: float = 2.0) -> dict[str, object]:
    return {"nodes": list(nodes), "start_s": start_s, "end_s": end_s}


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("server-0", Node(Role.SERVER, 0)),
        ("server-05", Node(Role.SERVER, 5)),
        ("worker-8", Node(Role.WORKER, 8)),
    ],
)
def test_a_node_is_named_by_its_role_and_index(name: str, node: Node) -> None:
    assert node_named(CLUSTER, name) == node


@pytest.mark.parametrize(
    "name",
    ["server-6", "worker-9", "observer-0", "server", "server-", "server--1", "Server-1", ""],
)
def test_a_name_that_no_node_has_is_told_with_those_that_there_are(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node_named(CLUSTER, name)
    assert str(caught.value) == (
        f"there is no node {name!r}: server-0 to server-5, worker-0 to worker-8"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("slow", {"server-6": 2.0}),
        ("links", [link("server-6", "server-0")]),
        ("links", [link("server-0", "server-6")]),
        ("partitions", [cut("worker-0", "server-6")]),
    ],
)
def test_a_node_that_does_not_exist_is_told_with_where_it_is_named(
    key: str, value: object
) -> None:
    assert faults_of({f"simulation.{key}": value}) == [
        f"simulation.{key}: there is no node 'server-6': {KNOWN}"
    ]


@pytest.mark.parametrize("end_s", [0.5, 1.0])
def test_a_partition_that_ends_before_it_begins_is_told(end_s: float) -> None:
    assert faults_of({"simulation.partitions": [cut("server-0", end_s=end_s)]}) == [
        f"simulation.partitions: end_s = {end_s:g} is not after start_s = 1"
    ]


def test_a_partition_of_nobody_is_told() -> None:
    assert faults_of({"simulation.partitions": [cut()]}) == [
        "simulation.partitions[0].nodes = []: must not be empty"
    ]


@pytest.mark.parametrize("factor", [0, -2.0])
def test_a_node_cannot_take_no_time(factor: float) -> None:
    assert faults_of({"simulation.slow": {"server-1": factor}}) == [
        f"simulation.slow.server-1 = {factor}: must be > 0"
    ]


def test_a_node_that_is_slow_under_two_names_is_told() -> None:
    assert faults_of({"simulation.slow": {"server-1": 2.0, "server-01": 3.0}}) == [
        "simulation.slow: server-01 is there twice"
    ]


def test_a_link_that_is_there_twice_is_told() -> None:
    there, back = link("server-1", "server-2"), link("server-2", "server-1")
    assert faults_of({"simulation.links": [there, back, there]}) == [
        "simulation.links: server-01 to server-02 is there twice"
    ]


@pytest.mark.parametrize(
    ("sender", "receiver"),
    [("worker-00", "worker-01"), ("server-03", "server-03")],
)
def test_a_link_that_carries_nothing_is_told(sender: str, receiver: str) -> None:
    assert faults_of({"simulation.links": [link(sender, receiver)]}) == [
        f"simulation.links: {sender} sends nothing to {receiver}, so this has no effect"
    ]


def test_conditions_are_in_seconds_and_by_node() -> None:
    config = config_of(
        {
            "simulation": {
                "delay": "pareto",
                "delay_ms_mean": 4,
                "process_ms": 2,
                "compute_ms": 500,
                "slow": {"worker-3": 50},
                "links": [link("server-1", "worker-2")],
                "partitions": [cut("server-4")],
            }
        }
    )
    assert conditions(config.nodes, config.simulation) == Conditions(
        delay="pareto",
        delay_mean_s=0.004,
        process_s=0.002,
        compute_s=0.5,
        slow={Node(Role.WORKER, 3): 50.0},
        links={(Node(Role.SERVER, 1), Node(Role.WORKER, 2)): 0.005},
        partitions=(Partition(frozenset({Node(Role.SERVER, 4)}), 1.0, 2.0),),
    )


def test_the_defaults_of_the_section_are_those_of_the_network() -> None:
    config = config_of({})
    assert conditions(config.nodes, config.simulation) == replace(Conditions(), slow={}, links={})
