"""The server against the lines of GuanYu's algorithm, which each test quotes."""

import numpy as np
import pytest
from protocol_harness import cluster_of, server, server_core, told, vector, worker

from guanyu_mpi.errors import InvariantError
from guanyu_mpi.messages import Gradient, Params, Update
from guanyu_mpi.protocol.effects import Aggregated, Broadcast, Commit, Consumed, Halt, Outcome
from guanyu_mpi.protocol.server import Phase

UP = vector(1.0, 0.0)


def test_it_starts_by_broadcasting_its_parameters() -> None:
    """ "Server i broadcasts theta_t^(i), tagged t" (phase 1)."""
    assert told(server_core(cluster_of()).start()) == [
        "broadcast Params(0) [1.0, 2.0] to workers",
        "broadcast Params(0) [1.0, 2.0] to observers",
    ]


def test_it_updates_with_the_first_q_gradients_and_broadcasts_the_update() -> None:
    """ "waits for the first q' gradients of step t and makes a local update" (phase 2)."""
    core = server_core(cluster_of())
    core.start()
    for index in range(4):
        assert core.receive(worker(index), Gradient(0, UP)) == []
    effects = core.receive(worker(4), Gradient(0, UP))
    assert told(effects) == [
        "consumed Gradient(0) of 0 1 2 3 4",
        "broadcast Update(0) [0.5, 2.0] to servers",
        "aggregated 0 [1.0, 0.0] from workers 0 1 2 3 4",
    ]
    assert core.phase is Phase.UPDATES


def test_who_watches_is_told_the_products_that_the_rule_has_taken() -> None:
    core = server_core(cluster_of())
    core.start()
    for index in range(5):
        effects = core.receive(worker(index), Gradient(0, vector(index, 1.0)))
    [aggregated] = [effect for effect in effects if isinstance(effect, Aggregated)]
    assert aggregated.products is not None
    assert aggregated.products[2].tolist() == [1.0, 3.0, 5.0, 7.0, 9.0]


def test_its_own_update_counts_as_a_vote() -> None:
    """ "waits for the first q of them" (phase 3), its own delivered locally: q - 1 others do."""
    core = server_core(cluster_of())
    core.start()
    for index in range(5):
        core.receive(worker(index), Gradient(0, UP))
    for index in (1, 2, 3):
        assert core.receive(server(index), Update(0, vector(9.0, 9.0))) == []
    effects = core.receive(server(4), Update(0, vector(9.0, 9.0)))
    assert told(effects)[-1] == "commit 1 [9.0, 9.0] from workers 0 1 2 3 4, servers 0 1 2 3 4"


def test_the_next_parameters_are_the_median_of_the_updates() -> None:
    """ "sets theta_{t+1}^(i) = M(theta~^(1..q))" (phase 3)."""
    core = server_core(cluster_of())
    core.start()
    for index in range(5):
        core.receive(worker(index), Gradient(0, UP))
    for index, value in ((1, -1e9), (2, 0.4), (3, 0.6), (4, 1e9)):
        effects = core.receive(server(index), Update(0, vector(value, 2.0)))
    assert told(effects) == [
        "consumed Update(0) of 0 1 2 3 4",
        "broadcast Params(1) [0.5, 2.0] to workers",
        "broadcast Params(1) [0.5, 2.0] to observers",
        "commit 1 [0.5, 2.0] from workers 0 1 2 3 4, servers 0 1 2 3 4",
    ]


def test_the_learning_rate_is_that_of_the_step() -> None:
    """ "theta_t - eta_t * F(g)": eta depends on t."""
    core = server_core(cluster_of(), step=3)
    core._rate = lambda step: 1.0 if step == 3 else 0.0
    for index in range(5):
        effects = core.receive(worker(index), Gradient(3, UP))
    assert told(effects)[1] == "broadcast Update(3) [0.0, 2.0] to servers"


def test_a_second_gradient_of_a_worker_is_not_a_second_vote() -> None:
    core = server_core(cluster_of())
    for _ in range(9):
        assert core.receive(worker(0), Gradient(0, UP)) == []


def test_a_late_gradient_is_dropped() -> None:
    """ "Late messages of a past step are dropped"."""
    core = server_core(cluster_of(), step=4)
    for index in range(6):
        assert core.receive(worker(index), Gradient(3, UP)) == []
    assert core.votes_held == 0


def test_an_early_gradient_waits_for_its_step() -> None:
    """ "early messages of a future step must be buffered"."""
    core = server_core(cluster_of())
    for index in range(4):
        assert core.receive(worker(index), Gradient(1, UP)) == []
    for index in range(5):
        core.receive(server(index + 1), Update(0, vector(1.0, 2.0)))
    assert (core.step, core.phase) == (1, Phase.GRADIENTS)
    core.receive(worker(4), Gradient(1, UP))
    assert core.phase is Phase.UPDATES


def test_a_server_left_behind_adopts_the_median_of_later_updates() -> None:
    core = server_core(cluster_of(), steps=100)
    for index in range(1, 5):
        assert core.receive(server(index), Update(41, vector(5.0, index))) == []
    effects = core.receive(server(5), Update(41, vector(5.0, 5.0)))
    assert told(effects)[-1] == "commit 42 [5.0, 3.0] from workers -, servers 1 2 3 4 5"
    assert core.step == 42


def test_what_it_adopts_it_votes_for_because_others_may_need_one_more_vote() -> None:
    core = server_core(cluster_of(), steps=100)
    for index in range(1, 6):
        effects = core.receive(server(index), Update(0, vector(5.0, index)))
    assert told(effects) == [
        "consumed Update(0) of 1 2 3 4 5 without its own vote",
        "broadcast Params(1) [5.0, 3.0] to workers",
        "broadcast Params(1) [5.0, 3.0] to observers",
        "broadcast Update(0) [5.0, 3.0] to servers",
        "commit 1 [5.0, 3.0] from workers -, servers 1 2 3 4 5",
    ]


def test_a_quorum_is_told_before_anything_that_follows_from_it() -> None:
    """A kill between the two leaves a record too many; never a message that nothing explains."""
    core = server_core(cluster_of())
    for index in range(5):
        effects = core.receive(worker(index), Gradient(0, UP))
    (consumed,) = [effect for effect in effects if isinstance(effect, Consumed)]
    assert effects[0] is consumed
    assert consumed.result.tolist() == [0.5, 2.0]
    assert [vote.vector.tolist() for vote in consumed.quorum.votes] == [UP.tolist()] * 5
    for index in range(1, 5):
        effects = core.receive(server(index), Update(0, vector(9.0, 9.0)))
    (consumed,) = [effect for effect in effects if isinstance(effect, Consumed)]
    assert effects[0] is consumed
    assert consumed.result.tolist() == [9.0, 9.0]


def test_what_it_has_voted_for_it_does_not_vote_for_again() -> None:
    core = server_core(cluster_of())
    for index in range(5):
        core.receive(worker(index), Gradient(0, UP))
    for index in range(1, 5):
        effects = core.receive(server(index), Update(0, vector(1.0, 1.0)))
    assert not any("broadcast Update" in line for line in told(effects))


def test_an_update_of_a_later_step_stands_in_for_one_that_was_replaced() -> None:
    core = server_core(cluster_of())
    for index in range(1, 5):
        assert core.receive(server(index), Update(index % 2, vector(1.0, 1.0))) == []
    effects = core.receive(server(5), Update(1, vector(1.0, 1.0)))
    assert told(effects)[-1] == "commit 1 [1.0, 1.0] from workers -, servers 1 2 3 4 5"


def test_a_gradient_of_a_later_step_stands_in_for_one_that_was_replaced() -> None:
    core = server_core(cluster_of())
    for index in range(5):
        effects = core.receive(worker(index), Gradient(index % 2 * 3, UP))
    assert told(effects)[:2] == [
        "consumed Gradient(0) of 0 1@3 2 3@3 4",
        "broadcast Update(0) [0.5, 2.0] to servers",
    ]


def test_who_votes_no_more_follows_the_others_and_uses_no_gradients_that_it_holds() -> None:
    core = server_core(cluster_of())
    for index in range(5):
        core.receive(worker(index), Gradient(1, UP))
    assert core.phase is Phase.UPDATES
    core.vote_no_more()
    for index in range(1, 5):
        effects = core.receive(server(index), Update(0, vector(5.0, 6.0)))
    # Those gradients stood in for the ones of step 0, and were a quorum of step 1.
    assert told(effects) == [
        "consumed Update(0) of 0 1 2 3 4",
        "broadcast Params(1) [5.0, 6.0] to workers",
        "broadcast Params(1) [5.0, 6.0] to observers",
        "commit 1 [5.0, 6.0] from workers 0 1 2 3 4, servers 0 1 2 3 4",
    ]
    for step in range(10):
        for index in range(6):
            assert core.receive(worker(index), Gradient(step, UP)) == []
    assert core.votes_held == 0
    assert [wait.kind for wait in core.waits_for] == [Update]
    for index in range(1, 6):
        effects = core.receive(server(index), Update(4, vector(5.0, 6.0)))
    assert told(effects)[3:] == [
        "broadcast Update(4) [5.0, 6.0] to servers",
        "commit 5 [5.0, 6.0] from workers -, servers 1 2 3 4 5",
    ]


def test_byzantine_servers_alone_cannot_make_it_jump() -> None:
    core = server_core(cluster_of(servers=9, f=2), steps=1000)
    for index in (7, 8):
        for step in range(990, 1000):
            assert core.receive(server(index), Update(step, vector(0.0, 0.0))) == []
    assert core.step == 0


def test_it_halts_after_publishing_the_parameters_of_the_last_step() -> None:
    core = server_core(cluster_of(), step=9, steps=10)
    for index in range(1, 6):
        effects = core.receive(server(index), Update(9, vector(1.0, 1.0)))
    assert told(effects) == [
        "consumed Update(9) of 1 2 3 4 5 without its own vote",
        "broadcast Params(10) [1.0, 1.0] to workers",
        "broadcast Params(10) [1.0, 1.0] to observers",
        "broadcast Update(9) [1.0, 1.0] to servers",
        "commit 10 [1.0, 1.0] from workers -, servers 1 2 3 4 5",
        "halt finished at 10",
    ]
    assert core.receive(worker(0), Gradient(9, UP)) == []


def test_a_run_that_is_restored_at_its_end_says_so_again() -> None:
    effects = server_core(cluster_of(), step=10, steps=10).start()
    assert told(effects)[-1] == "halt finished at 10"


def test_one_trusted_server_needs_no_phase_three() -> None:
    """Blanchard et al. 2017: the server applies F and goes on."""
    core = server_core(cluster_of(servers=1, f=0))
    for index in range(5):
        effects = core.receive(worker(index), Gradient(0, UP))
    assert told(effects) == [
        "consumed Gradient(0) of 0 1 2 3 4",
        "broadcast Update(0) [0.5, 2.0] to servers",
        "aggregated 0 [1.0, 0.0] from workers 0 1 2 3 4",
        "consumed Update(0) of 0",
        "broadcast Params(1) [0.5, 2.0] to workers",
        "broadcast Params(1) [0.5, 2.0] to observers",
        "commit 1 [0.5, 2.0] from workers 0 1 2 3 4, servers 0",
    ]


def test_as_many_non_finite_workers_as_are_tolerated_change_nothing() -> None:
    core = server_core(cluster_of())
    assert core.distrust(worker(0)) == []
    assert core.distrust(worker(0)) == []
    assert core.distrust(server(1)) == []


def test_more_non_finite_workers_than_are_tolerated_stop_the_run() -> None:
    core = server_core(cluster_of())
    core.distrust(worker(0))
    effects = core.distrust(worker(1))
    halt = effects[-1]
    assert isinstance(halt, Halt)
    assert halt.outcome is Outcome.DIVERGED
    assert "2 workers have sent NaN or infinity, and at most 1 can be Byzantine" in halt.reason


def test_a_diverged_server_tells_everyone_by_a_vector_that_nobody_can_miss() -> None:
    core = server_core(cluster_of(f_workers=1))
    core.distrust(worker(0))
    effects = core.distrust(worker(1))
    told_to = {effect.to: effect.message for effect in effects if isinstance(effect, Broadcast)}
    assert {role.value for role in told_to} == {"server", "worker"}
    assert all(np.isnan(message.vector).all() for message in told_to.values())


def test_an_update_that_overflows_is_divergence_and_not_a_commit() -> None:
    core = server_core(cluster_of(), rate=1e38)
    for index in range(5):
        effects = core.receive(worker(index), Gradient(0, vector(3e38, 3e38)))
    assert told(effects)[-1] == "halt diverged at 0 the update of step 0 is not finite"
    assert not any(isinstance(effect, Commit) for effect in effects)


def test_params_are_never_handed_to_a_server() -> None:
    with pytest.raises(InvariantError):
        server_core(cluster_of()).receive(server(1), Params(0, UP))


def test_its_inputs_are_left_untouched() -> None:
    core = server_core(cluster_of())
    gradient = vector(1.0, 1.0)
    before = core.params
    for index in range(5):
        core.receive(worker(index), Gradient(0, gradient))
    assert gradient.tolist() == [1.0, 1.0]
    assert before.tolist() == [1.0, 2.0]
