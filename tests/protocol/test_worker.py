"""The worker against the lines of GuanYu's algorithm, which each test quotes."""

import numpy as np
import pytest
from protocol_harness import cluster_of, server, told, vector, worker, worker_core

from guanyu_mpi.errors import InvariantError
from guanyu_mpi.messages import Gradient, Params, Update
from guanyu_mpi.protocol.effects import Broadcast


def test_it_says_nothing_before_it_is_asked() -> None:
    assert worker_core(cluster_of()).start() == []


def test_it_computes_at_the_median_of_the_first_q_params() -> None:
    """ "waits for the first q vectors of step t, takes M of them, ... computes at M(theta)"."""
    core = worker_core(cluster_of())
    for index, value in ((0, 1.0), (1, -1e9), (2, 3.0), (3, 1e9)):
        assert core.receive(server(index), Params(0, vector(value))) == []
    assert told(core.receive(server(4), Params(0, vector(2.0)))) == [
        "consumed Params(0) of 0 1 2 3 4",
        "compute gradient of 0 at [2.0]",
    ]


def test_it_broadcasts_its_gradient_to_all_servers() -> None:
    """ "Worker j broadcasts g_t^(j), tagged t" (phase 2)."""
    core = worker_core(cluster_of())
    for index in range(5):
        core.receive(server(index), Params(0, vector(1.0)))
    assert told(core.receive(worker(0), Gradient(0, vector(7.0)))) == [
        "broadcast Gradient(0) [7.0] to servers"
    ]


def test_while_it_computes_it_keeps_what_arrives() -> None:
    core = worker_core(cluster_of())
    for index in range(5):
        core.receive(server(index), Params(0, vector(1.0)))
    for index in range(5):
        assert core.receive(server(index), Params(1, vector(2.0))) == []
    assert told(core.receive(worker(0), Gradient(0, vector(7.0)))) == [
        "broadcast Gradient(0) [7.0] to servers",
        "consumed Params(1) of 0 1 2 3 4",
        "compute gradient of 1 at [2.0]",
    ]


def test_it_computes_at_the_highest_step_that_a_quorum_has_reached() -> None:
    core = worker_core(cluster_of(), steps=100)
    for index in range(5):
        core.receive(server(index), Params(0, vector(1.0)))
    for step in (1, 7):
        for index in range(5):
            core.receive(server(index), Params(step, vector(step)))
    assert told(core.receive(worker(0), Gradient(0, vector(7.0))))[-1] == (
        "compute gradient of 7 at [7.0]"
    )


def test_params_of_a_step_it_has_passed_are_dropped() -> None:
    core = worker_core(cluster_of(), steps=100)
    for index in range(5):
        core.receive(server(index), Params(7, vector(1.0)))
    core.receive(worker(0), Gradient(7, vector(1.0)))
    for index in range(6):
        assert core.receive(server(index), Params(7, vector(1.0))) == []
        assert core.receive(server(index), Params(3, vector(1.0))) == []
    assert core.votes_held == 0


def test_params_of_the_last_step_end_its_part() -> None:
    core = worker_core(cluster_of(), steps=1)
    for index in range(5):
        core.receive(server(index), Params(0, vector(1.0)))
    core.receive(worker(0), Gradient(0, vector(1.0)))
    for index in range(5):
        effects = core.receive(server(index), Params(1, vector(1.0)))
    assert told(effects) == ["consumed Params(1) of 0 1 2 3 4", "halt finished at 1"]


def test_it_answers_the_last_step_before_it_ends() -> None:
    """A server that is left behind there needs q' gradients; nobody else votes any more."""
    core = worker_core(cluster_of(), steps=10)
    for index in range(5):
        effects = core.receive(server(index), Params(10, vector(1.0)))
    assert told(effects) == [
        "consumed Params(9) of 0@10 1@10 2@10 3@10 4@10",
        "compute gradient of 9 at [1.0]",
    ]
    assert told(core.receive(worker(0), Gradient(9, vector(2.0)))) == [
        "broadcast Gradient(9) [2.0] to servers",
        "consumed Params(10) of 0 1 2 3 4",
        "halt finished at 10",
    ]


def test_a_worker_that_begins_at_the_end_is_asked_nothing() -> None:
    core = worker_core(cluster_of(), steps=10, step=10)
    for index in range(5):
        effects = core.receive(server(index), Params(10, vector(1.0)))
    assert told(effects) == ["consumed Params(10) of 0 1 2 3 4", "halt finished at 10"]


def test_byzantine_servers_alone_cannot_end_its_part() -> None:
    core = worker_core(cluster_of(servers=9, f=2), steps=10)
    for index in (7, 8):
        assert core.receive(server(index), Params(10, vector(1.0))) == []


def test_a_gradient_that_is_not_finite_is_sent_as_such_and_ends_its_part() -> None:
    core = worker_core(cluster_of())
    for index in range(5):
        core.receive(server(index), Params(0, vector(1.0, 1.0)))
    effects = core.receive(worker(0), Gradient(0, vector(np.inf, 1.0)))
    broadcast = effects[0]
    assert isinstance(broadcast, Broadcast)
    assert np.isnan(broadcast.message.vector).all()
    assert told(effects)[-1] == "halt diverged at 0 the gradient of step 0 is not finite"


def test_more_non_finite_servers_than_are_tolerated_end_its_part() -> None:
    core = worker_core(cluster_of())
    assert core.distrust(server(0)) == []
    assert "2 servers have sent NaN" in told(core.distrust(server(1)))[-1]


def test_a_gradient_that_nobody_asked_for_is_our_own_fault() -> None:
    with pytest.raises(InvariantError):
        worker_core(cluster_of()).receive(worker(0), Gradient(0, vector(1.0)))


@pytest.mark.parametrize("message", [Update(0, vector(1.0)), Gradient(0, vector(1.0))])
def test_only_params_and_its_own_gradient_are_handed_to_a_worker(message: Update) -> None:
    with pytest.raises(InvariantError):
        worker_core(cluster_of()).receive(server(1), message)
