"""The bounds of GuanYu, of one trusted server, and of the rules, each fault with its bound."""

import pytest
from config_cases import TRUSTED, config_of, faults_of
from hypothesis import given
from hypothesis import strategies as st

from guanyu_mpi.aggregation import RULES
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"cluster.servers": 5},
            "cluster.servers = 5 cannot tolerate byzantine_servers = 1: "
            "needs at least 3f + 3 = 6, or 1 that is trusted",
        ),
        (
            {"cluster.workers": 5},
            "cluster.workers = 5 cannot tolerate byzantine_workers = 1: needs at least 3f + 3 = 6",
        ),
        (
            {"cluster.servers": 2, "cluster.byzantine_servers": 0},
            "cluster.servers = 2 cannot tolerate byzantine_servers = 0: "
            "needs at least 3f + 3 = 3, or 1 that is trusted",
        ),
        (
            {"cluster.byzantine_workers": 10**30},
            f"cluster.workers = 6 cannot tolerate byzantine_workers = {10**30}: "
            f"needs at least 3f + 3 = {3 * 10**30 + 3}",
        ),
        (
            {"cluster.server_quorum": 4},
            "cluster.server_quorum = 4 is out of bounds: needs 2f + 3 = 5 <= q <= n - f = 5",
        ),
        (
            {"cluster.server_quorum": 6},
            "cluster.server_quorum = 6 is out of bounds: needs 2f + 3 = 5 <= q <= n - f = 5",
        ),
        (
            {"cluster.workers": 9, "cluster.worker_quorum": 9},
            "cluster.worker_quorum = 9 is out of bounds: needs 2f + 3 = 5 <= q <= n - f = 8",
        ),
    ],
)
def test_a_bound_that_is_not_met_is_told(changes: dict[str, object], fault: str) -> None:
    assert faults_of(changes) == [fault]


def test_servers_and_workers_are_judged_apart() -> None:
    faults = faults_of({"cluster.servers": 4, "cluster.worker_quorum": 6})
    assert [fault.split(" = ")[0] for fault in faults] == [
        "cluster.servers",
        "cluster.worker_quorum",
    ]


@pytest.mark.parametrize("quorum", [5, 6, 7, 8])
def test_every_quorum_within_the_bounds_is_taken(quorum: int) -> None:
    config = config_of({"cluster.servers": 9, "cluster.server_quorum": quorum})
    assert config.nodes.server_quorum == quorum


def test_the_quorum_is_the_smallest_of_guanyu_unless_it_is_chosen() -> None:
    nodes = config_of({"cluster.servers": 12, "cluster.workers": 20}).nodes
    assert (nodes.server_quorum, nodes.worker_quorum) == (5, 5)


def test_without_byzantine_nodes_everyone_is_waited_for() -> None:
    nodes = config_of({"cluster.byzantine_servers": 0, "cluster.byzantine_workers": 0}).nodes
    assert (nodes.server_quorum, nodes.worker_quorum) == (6, 6)


@given(
    servers=st.integers(1, 30),
    byzantine=st.integers(0, 10),
    quorum=st.integers(1, 30),
)
def test_accepted_are_exactly_the_numbers_of_the_paper(
    servers: int, byzantine: int, quorum: int
) -> None:
    """n >= 3f + 3 and 2f + 3 <= q <= n - f, or one trusted server."""
    try:
        config_of(
            {
                "cluster.servers": servers,
                "cluster.byzantine_servers": byzantine,
                "cluster.server_quorum": quorum,
            }
        )
        accepted = True
    except ConfigError:
        accepted = False
    guanyu = servers >= 3 * byzantine + 3 and 2 * byzantine + 3 <= quorum <= servers - byzantine
    trusted = servers == quorum == 1 and byzantine == 0
    assert accepted == (guanyu or trusted)


def test_one_trusted_server_waits_for_all_workers_that_are_not_byzantine() -> None:
    changes = {"cluster.workers": 7, "cluster.byzantine_workers": 2}
    nodes = config_of({**TRUSTED, **changes, "aggregation.gradients": "median"}).nodes
    assert nodes == Cluster(1, 0, 1, 7, 2, 5)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"cluster.byzantine_servers": 1},
            "cluster.byzantine_servers = 1 with servers = 1: a single server must be trusted (0), "
            "or use at least 3f + 3 servers",
        ),
        (
            {"cluster.server_quorum": 2},
            "cluster.server_quorum = 2 with servers = 1: must be 1",
        ),
        (
            {"cluster.worker_quorum": 6},
            "cluster.worker_quorum = 6 is out of bounds: needs 1 <= q <= n - f = 5",
        ),
        (
            {"cluster.byzantine_workers": 6},
            "cluster.byzantine_workers = 6 of cluster.workers = 6: must be fewer",
        ),
        (
            {"cluster.workers": 4},
            "aggregation.gradients, with cluster.worker_quorum = 3: "
            "multi-krum needs n >= 2f + 3 = 5 vectors to tolerate f = 1: n = 3",
        ),
        (
            {"aggregation.models": "krum"},
            "aggregation.models, with cluster.server_quorum = 1: "
            "krum needs n >= 2f + 3 = 3 vectors to tolerate f = 0: n = 1",
        ),
    ],
)
def test_a_fault_of_a_single_server_is_told(changes: dict[str, object], fault: str) -> None:
    assert faults_of({**TRUSTED, **changes}) == [fault]


def test_all_faults_of_a_single_server_are_told() -> None:
    changes = {"cluster.server_quorum": 2, "cluster.worker_quorum": 9}
    assert len(faults_of({"cluster.servers": 1, **changes})) == 3


def test_plain_sgd_is_a_trusted_server_with_the_average() -> None:
    changes = {**TRUSTED, "cluster.workers": 1, "cluster.byzantine_workers": 0}
    config = config_of({**changes, "aggregation.gradients": "average"})
    assert config.nodes.worker_quorum == 1


@pytest.mark.parametrize("key", ["gradients", "models"])
def test_an_unknown_rule_is_told_with_the_near_miss(key: str) -> None:
    assert faults_of({f"aggregation.{key}": "krumm"}) == [
        f"aggregation.{key}: unknown aggregation rule 'krumm'; did you mean 'krum'? "
        f"known: {', '.join(sorted(RULES))}"
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"gradients_options": {"m": 3}}, "multi-krum: m = 3 is out of bounds: needs 1 <= m <="),
        ({"gradients_options": {"n": 3}}, "multi-krum: unknown option 'n'; known: m"),
        ({"gradients_options": {"kernels": 3}}, "multi-krum: unknown option 'kernels'; known: m"),
        ({"pre": ["nmm"]}, "unknown pre-aggregation 'nmm'; did you mean 'nnm'?"),
        ({"pre": ["clipping"]}, "clipping: option 'tau' is missing"),
        ({"pre": ["bucketing"]}, "multi-krum needs n >= 2f + 3 = 5 vectors to tolerate f = 1"),
        ({"pre_options": {"nnm": {}}}, "options of 'nnm' have no effect: pre does not name it"),
    ],
)
def test_what_is_wrong_with_the_rule_on_gradients_is_told(
    changes: dict[str, object], fault: str
) -> None:
    told = faults_of({f"aggregation.{key}": value for key, value in changes.items()})
    assert len(told) == 1
    assert told[0].startswith(f"aggregation.gradients, with cluster.worker_quorum = 5: {fault}")


def test_options_of_the_rule_on_models_are_checked() -> None:
    assert faults_of({"aggregation.models_options": {"m": 1}}) == [
        "aggregation.models, with cluster.server_quorum = 5: "
        "median: has no option 'm', nor any other"
    ]


def test_a_rule_is_judged_by_the_quorum_not_by_the_number_of_nodes() -> None:
    """Krum on 3 of 100 gradients would compare a vector with no other."""
    changes = {**TRUSTED, "cluster.workers": 100, "cluster.worker_quorum": 3}
    assert faults_of(changes) == [
        "aggregation.gradients, with cluster.worker_quorum = 3: "
        "multi-krum needs n >= 2f + 3 = 5 vectors to tolerate f = 1: n = 3"
    ]
