"""A server that exchanges updates every third step, and what it does in between."""

import numpy as np
import pytest
from protocol_harness import cluster_of, server, server_core, told, vector, worker
from schedule_harness import Schedule, World, gradient

from guanyu_mpi.aggregation import bind
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.messages import Gradient, Update, Vector
from guanyu_mpi.protocol.contractions import Contractions
from guanyu_mpi.protocol.effects import Broadcast, Effect, Halt, Outcome
from guanyu_mpi.protocol.server import Phase, ServerCore

PEERS = (1, 2, 3, 4, 5)


def seldom(step: int = 0, steps: int = 8) -> ServerCore:
    return server_core(cluster_of(), step=step, steps=steps, contract_every=3)


def gradients(core: ServerCore, step: int, value: float = 1.0) -> list[Effect]:
    """What a server does once its quorum of gradients of a step is there."""
    effects: list[Effect] = []
    for index in range(5):
        effects += core.receive(worker(index), Gradient(step, vector(value, 0.0)))
    return effects


@pytest.mark.parametrize(
    ("every", "steps", "found"),
    [(1, 4, [0, 1, 2, 3]), (3, 8, [2, 5, 7]), (3, 6, [2, 5]), (9, 4, [3])],
)
def test_contractions_are_every_so_manieth_step_and_the_last(
    every: int, steps: int, found: list[int]
) -> None:
    contractions = Contractions(every, steps)
    assert [step for step in range(steps) if contractions.at(step)] == found
    later = [min(at for at in found if at >= step) for step in range(steps)]
    assert [contractions.next(step) for step in range(steps)] == later


def test_between_contractions_a_server_goes_on_with_its_own_update() -> None:
    core = seldom()
    core.start()
    assert told(gradients(core, 0)) == [
        "consumed Gradient(0) of 0 1 2 3 4",
        "broadcast Params(1) [0.5, 2.0] to workers",
        "broadcast Params(1) [0.5, 2.0] to observers",
        "aggregated 0 [1.0, 0.0] from workers 0 1 2 3 4",
        "commit 1 [0.5, 2.0] from workers 0 1 2 3 4, servers -",
    ]
    assert core.phase is Phase.GRADIENTS


def test_at_a_contraction_it_votes_and_waits() -> None:
    core = seldom(step=2)
    core.start()
    assert "broadcast Update(2) [0.5, 2.0] to servers" in told(gradients(core, 2))
    assert core.phase is Phase.UPDATES
    for index in PEERS[:4]:
        effects = core.receive(server(index), Update(2, vector(5.0, 6.0)))
    assert told(effects)[-1] == ("commit 3 [5.0, 6.0] from workers 0 1 2 3 4, servers 0 1 2 3 4")


def test_gradients_of_a_later_step_let_it_catch_up_to_the_next_contraction() -> None:
    core = seldom()
    core.start()
    effects = gradients(core, 4)
    assert core.step == 2
    assert core.phase is Phase.UPDATES
    updates = [e.message for e in effects if isinstance(e, Broadcast) and e.to is Role.SERVER]
    assert [update.step for update in updates] == [2]


def test_a_server_that_is_behind_adopts_a_later_contraction_and_votes() -> None:
    core = seldom()
    core.start()
    for index in PEERS:
        effects = core.receive(server(index), Update(5, vector(5.0, index)))
    assert told(effects) == [
        "consumed Update(5) of 1 2 3 4 5 without its own vote",
        "broadcast Params(6) [5.0, 3.0] to workers",
        "broadcast Params(6) [5.0, 3.0] to observers",
        "broadcast Update(5) [5.0, 3.0] to servers",
        "commit 6 [5.0, 3.0] from workers -, servers 1 2 3 4 5",
    ]


def test_it_tells_that_it_waits_for_the_updates_of_the_next_contraction() -> None:
    core = seldom()
    core.start()
    assert [(wait.kind, wait.step) for wait in core.waits_for] == [(Gradient, 0), (Update, 2)]
    for index in PEERS:
        core.receive(server(index), Update(2, vector(5.0, 6.0)))
    assert [(wait.kind, wait.step) for wait in core.waits_for] == [(Gradient, 3), (Update, 5)]


def test_who_diverges_in_between_says_so_at_a_step_at_which_the_others_listen() -> None:
    core = seldom()
    core.start()
    core.params = np.full(2, 3e38, np.float32)
    effects = gradients(core, 0, value=-3e38)
    assert [e.message.step for e in effects if isinstance(e, Broadcast)] == [0, 2]
    assert isinstance(effects[-1], Halt)
    assert effects[-1].outcome is Outcome.DIVERGED


@pytest.mark.parametrize("every", [1, 2, 3, 9])
def test_where_all_wait_for_all_a_run_is_the_algorithm_done_by_hand(every: int) -> None:
    """Servers begin apart, and gradients are equal: they stay apart until they contract."""
    cluster, steps = cluster_of(3, 0, 3, 0), 8
    begun = [vector(1.0, 2.0), vector(-4.0, 3.0), vector(2.0, 9.0)]
    world = World(cluster, steps=steps, contract_every=every, begun=begun)
    world.run(Schedule((), 5, ()))
    assert world.unfinished() == {}
    expected = by_hand(cluster, begun, every, steps)
    for node in cluster.nodes(Role.SERVER):
        found = [commit.params.tobytes() for commit in world.commits[node]]
        assert found == [params[node.index].tobytes() for params in expected]


def by_hand(cluster: Cluster, begun: list[Vector], every: int, steps: int) -> list[list[Vector]]:
    """All servers' parameters after each step."""
    median, average = bind("median", n=3, f=0), bind("multi-krum", n=3, f=0)
    params, found = begun, []
    for step in range(steps):
        point = median(np.stack(params))
        workers = cluster.nodes(Role.WORKER)
        mean = average(np.stack([gradient(point, worker, step) for worker in workers]))
        params = [own + np.float32(-0.5) * mean for own in params]
        if (step + 1) % every == 0 or step + 1 == steps:
            params = [median(np.stack(params))] * 3
        found.append(params)
    return found
