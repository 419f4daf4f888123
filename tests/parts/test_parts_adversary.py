"""An attacker: an honest core inside, and an attack on its way out."""

from collections.abc import Callable

import numpy as np
import pytest
from parts_harness import CLUSTER, ScriptedCore, server, vector, worker

from guanyu_mpi.adversary import Adversary
from guanyu_mpi.attacks import BoundAttack, View, bind_attack
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.messages import Gradient, Message, Params, Update, Vector
from guanyu_mpi.protocol.effects import (
    Broadcast,
    Commit,
    ComputeGradient,
    Core,
    Effect,
    Halt,
    Outcome,
    Send,
)

HONEST = vector(1.0, -2.0)
SERVER = server(5)
NODES = {Params: server(5), Update: server(5), Gradient: worker(5)}
RECEIVERS = {Params: Role.WORKER, Update: Role.SERVER, Gradient: Role.SERVER}


def adversary(core: Core, node: Node, attack: BoundAttack, equivocates: bool) -> Adversary:
    return Adversary(core, node, CLUSTER, attack=attack, equivocates=equivocates, seed=1)


def broadcast(kind: type[Message], step: int = 3) -> Broadcast:
    return Broadcast(kind(step, HONEST), to=RECEIVERS[kind])


def rewritten(
    effect: Effect, attack: BoundAttack, *, node: Node = SERVER, equivocates: bool = False
) -> list[Effect]:
    return adversary(ScriptedCore([effect]), node, attack, equivocates).start()


def index_of_receiver(view: View) -> Vector:
    """An attack that shows whom it was asked about."""
    return np.full_like(view.vector, view.receiver.index)


@pytest.mark.parametrize("kind", [Params, Update, Gradient])
def test_every_vector_that_goes_out_is_rewritten(kind: type[Message]) -> None:
    (effect,) = rewritten(broadcast(kind), bind_attack("reverse"), node=NODES[kind])
    assert isinstance(effect, Broadcast)
    assert isinstance(effect.message, kind)
    assert effect.message.step == 3
    assert effect.message.vector.tolist() == [-100.0, 200.0]
    assert effect.to is RECEIVERS[kind]


@pytest.mark.parametrize(
    "act",
    [
        lambda core: core.start(),
        lambda core: core.receive(worker(0), Gradient(3, HONEST)),
        lambda core: core.distrust(worker(0)),
    ],
    ids=["start", "receive", "distrust"],
)
def test_whatever_makes_the_core_send_is_rewritten(act: Callable[[Core], list[Effect]]) -> None:
    core = adversary(
        ScriptedCore([broadcast(Params)]), server(5), bind_attack("reverse"), equivocates=False
    )
    (effect,) = act(core)
    assert isinstance(effect, Broadcast)
    assert effect.message.vector.tolist() == [-100.0, 200.0]


def test_the_core_is_handed_what_arrives_untouched() -> None:
    core = ScriptedCore([])
    attacker = adversary(core, server(5), bind_attack("reverse"), equivocates=False)
    message = Gradient(3, HONEST)
    attacker.receive(worker(2), message)
    attacker.distrust(worker(4))
    assert core.received == [(worker(2), message)]
    assert core.distrusted == [worker(4)]


def test_an_attacker_that_leaves_votes_no_more() -> None:
    core = ScriptedCore([])
    adversary(core, server(5), bind_attack("reverse"), equivocates=False).vote_no_more()
    assert not core.votes


def test_the_vector_of_the_core_is_not_written_into() -> None:
    effect = broadcast(Params)
    rewritten(effect, bind_attack("reverse"))
    assert effect.message.vector.tolist() == [1.0, -2.0]


@pytest.mark.parametrize(
    "effect",
    [
        ComputeGradient(3, HONEST),
        Commit(3, HONEST, (worker(0),), (server(0),)),
        Halt(Outcome.FINISHED, 3, ""),
    ],
    ids=["compute", "commit", "halt"],
)
@pytest.mark.parametrize("name", ["reverse", "mute", "nan"])
def test_what_is_not_sent_passes_through(effect: Effect, name: str) -> None:
    (passed,) = rewritten(effect, bind_attack(name))
    assert passed is effect


def test_a_mute_node_sends_nothing_and_goes_on() -> None:
    commit, halt = Commit(3, HONEST, (), ()), Halt(Outcome.FINISHED, 3, "")
    core = ScriptedCore([broadcast(Params), commit, broadcast(Update), halt])
    effects = adversary(core, server(5), bind_attack("mute"), equivocates=False).start()
    assert effects == [commit, halt]


def test_the_order_of_effects_is_kept() -> None:
    commit, halt = Commit(3, HONEST, (), ()), Halt(Outcome.FINISHED, 3, "")
    core = ScriptedCore([broadcast(Params), commit, broadcast(Update), halt])
    effects = adversary(core, server(5), bind_attack("reverse"), equivocates=False).start()
    assert [type(effect) for effect in effects] == [Broadcast, Commit, Broadcast, Halt]


def test_an_equivocating_node_tells_each_receiver_something_else() -> None:
    effects = rewritten(broadcast(Gradient), index_of_receiver, node=worker(5), equivocates=True)
    assert [type(effect) for effect in effects] == [Send] * 6
    told = {
        effect.receiver: effect.message.vector.tolist()
        for effect in effects
        if isinstance(effect, Send)
    }
    assert told == {server(index): [index, index] for index in range(6)}


def test_an_equivocating_server_does_not_lie_to_itself() -> None:
    effects = rewritten(broadcast(Update), index_of_receiver, node=server(2), equivocates=True)
    receivers = [effect.receiver for effect in effects if isinstance(effect, Send)]
    assert receivers == [server(index) for index in (0, 1, 3, 4, 5)]


def test_an_equivocating_node_may_be_silent_to_some() -> None:
    def silent_to_even(view: View) -> Vector | None:
        return None if view.receiver.index % 2 == 0 else view.vector

    effects = rewritten(broadcast(Gradient), silent_to_even, node=worker(5), equivocates=True)
    receivers = [effect.receiver for effect in effects if isinstance(effect, Send)]
    assert receivers == [server(1), server(3), server(5)]


def test_one_that_does_not_equivocate_makes_up_its_vector_once() -> None:
    asked: list[View] = []

    def counted(view: View) -> Vector:
        asked.append(view)
        return view.vector

    rewritten(broadcast(Gradient), counted, node=worker(5))
    assert len(asked) == 1
    assert (asked[0].sender, asked[0].step, asked[0].seed) == (worker(5), 3, 1)


def test_the_attack_sees_the_honest_vector() -> None:
    (effect,) = rewritten(broadcast(Params), lambda view: view.vector)
    assert isinstance(effect, Broadcast)
    assert effect.message.vector is HONEST
