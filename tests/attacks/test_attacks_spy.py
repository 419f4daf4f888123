"""An omniscient attacker among others: what it overhears, when it speaks, and whom it keeps up."""

from collections.abc import Sequence

import numpy as np
import pytest
from attack_harness import CLUSTER, server, vector, worker

from guanyu_mpi.adversary import Adversary
from guanyu_mpi.attacks import View
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import Fault
from guanyu_mpi.messages import Gradient, Message, Params, Update, Vector
from guanyu_mpi.protocol.effects import Broadcast, Effect, Halt, Outcome
from guanyu_mpi.protocol.quorum import Wait
from guanyu_mpi.spy import Ring, Spy
from guanyu_mpi.transport.wire import Decoder, encode

LIES: dict[type[Message], Role] = {
    Params: Role.WORKER,
    Update: Role.SERVER,
    Gradient: Role.SERVER,
}


class Scripted:
    """A core that says what it has been told to say next, and remembers what it was handed."""

    step = 0
    waits_for: tuple[Wait, ...] = ()

    def __init__(self) -> None:
        self.next: list[Effect] = []
        self.received: list[tuple[Node, Message]] = []

    def start(self) -> list[Effect]:
        said, self.next = self.next, []
        return said

    def receive(self, sender: Node, message: Message) -> list[Effect]:
        self.received.append((sender, message))
        return self.start()

    def distrust(self, sender: Node) -> list[Effect]:
        raise AssertionError(f"{sender} has sent nothing wrong")


def known(view: View) -> Vector:
    """An attack that sends the sum of the first coordinates that it knows of."""
    return np.full_like(view.vector, sum(honest[0] for honest in view.overheard.vectors))


def attacker(
    node: Node, core: Scripted, *, cluster: Cluster = CLUSTER, attackers: int = 1
) -> Adversary:
    allies = [Node(node.role, node.index - k) for k in range(attackers)]
    spy = Spy(node, cluster, allies, Ring())
    return Adversary(core, node, cluster, attack=known, equivocates=False, seed=1, spy=spy)


def said(effects: Sequence[Effect]) -> list[tuple[type[Message], int, float]]:
    return [
        (type(effect.message), effect.message.step, float(effect.message.vector[0]))
        for effect in effects
        if isinstance(effect, Broadcast)
    ]


def own(kind: type[Message], step: int) -> Broadcast:
    return Broadcast(kind(step, vector(1000.0)), LIES[kind])


def test_it_speaks_once_it_has_heard_a_quorum_less_the_attackers() -> None:
    """Five make a quorum of six; with the attacker four others are enough."""
    core = Scripted()
    adversary = attacker(worker(5), core)
    core.next = [own(Gradient, 3)]
    assert adversary.start() == []
    for index in range(3):
        assert adversary.receive(worker(index), Gradient(3, vector(10.0**index))) == []
    effects = adversary.receive(worker(3), Gradient(3, vector(5000.0)))
    assert said(effects) == [(Gradient, 3, 5111.0)]
    assert adversary.receive(worker(4), Gradient(3, vector(1.0))) == []


def test_it_speaks_at_once_if_it_has_heard_enough_before() -> None:
    core = Scripted()
    adversary = attacker(worker(5), core)
    for index in range(4):
        adversary.receive(worker(index), Gradient(3, vector(1.0)))
    core.next = [own(Gradient, 3)]
    assert said(adversary.start()) == [(Gradient, 3, 4.0)]


def test_what_allies_say_is_no_honest_vector() -> None:
    core = Scripted()
    cluster = Cluster(6, 1, 5, 9, 2, 7)
    adversary = attacker(worker(8), core, cluster=cluster, attackers=2)
    core.next = [own(Gradient, 0)]
    adversary.start()
    for index in (0, 1, 2, 3, 7):
        assert adversary.receive(worker(index), Gradient(0, vector(1.0))) == []
    assert said(adversary.receive(worker(4), Gradient(0, vector(1.0)))) == [(Gradient, 0, 5.0)]


def test_a_worker_inside_an_attacker_never_sees_the_gradients_of_others() -> None:
    core = Scripted()
    adversary = attacker(worker(5), core)
    adversary.receive(worker(0), Gradient(0, vector(1.0)))
    adversary.receive(server(0), Params(0, vector(1.0)))
    adversary.receive(worker(5), Gradient(0, vector(1.0)))
    assert [type(message) for _, message in core.received] == [Params, Gradient]


def test_a_server_inside_an_attacker_gets_updates_but_no_params() -> None:
    core = Scripted()
    adversary = attacker(server(5), core)
    adversary.receive(server(0), Params(0, vector(1.0)))
    adversary.receive(server(0), Update(0, vector(1.0)))
    adversary.receive(worker(0), Gradient(0, vector(1.0)))
    assert [type(message) for _, message in core.received] == [Update, Gradient]


def test_parameters_go_to_the_observer_as_they_go_to_workers() -> None:
    """One lie, made up once: the two broadcasts are of one message."""
    core = Scripted()
    adversary = attacker(server(5), core)
    message = Params(2, vector(1000.0))
    core.next = [Broadcast(message, Role.WORKER), Broadcast(message, Role.OBSERVER)]
    assert adversary.start() == []
    for index in range(3):
        adversary.receive(server(index), Params(2, vector(1.0)))
    effects = adversary.receive(server(3), Params(2, vector(1.0)))
    assert said(effects) == [(Params, 2, 4.0)] * 2
    assert len({id(effect.message) for effect in effects if isinstance(effect, Broadcast)}) == 1


def test_the_observer_is_told_too_where_enough_was_known_before() -> None:
    core = Scripted()
    adversary = attacker(server(5), core)
    for index in range(4):
        adversary.receive(server(index), Params(2, vector(1.0)))
    message = Params(2, vector(1000.0))
    core.next = [Broadcast(message, Role.WORKER), Broadcast(message, Role.OBSERVER)]
    assert said(adversary.start()) == [(Params, 2, 4.0)] * 2


def test_a_later_vector_stands_in_for_one_that_was_replaced() -> None:
    core = Scripted()
    adversary = attacker(worker(5), core)
    core.next = [own(Gradient, 3)]
    adversary.start()
    for index in range(3):
        adversary.receive(worker(index), Gradient(3, vector(1.0)))
    effects = adversary.receive(worker(3), Gradient(4, vector(1.0)))
    assert said(effects) == [(Gradient, 3, 4.0)]


def test_what_is_held_back_is_dropped_for_what_is_newer() -> None:
    core = Scripted()
    adversary = attacker(worker(5), core)
    core.next = [own(Gradient, 3), own(Gradient, 4)]
    adversary.start()
    effects: list[Effect] = []
    for index in range(4):
        effects += adversary.receive(worker(index), Gradient(4, vector(1.0)))
    assert said(effects) == [(Gradient, 4, 4.0)]


def test_an_attacker_that_has_not_heard_enough_is_silent_and_goes_on() -> None:
    core = Scripted()
    adversary = attacker(server(5), core)
    halt = Halt(Outcome.FINISHED, 9, "")
    core.next = [own(Params, 9), halt]
    assert adversary.start() == [halt]


@pytest.mark.parametrize("attackers", [4, 5, 6])
def test_an_attacker_of_a_majority_waits_for_one_honest_vector(attackers: int) -> None:
    core = Scripted()
    adversary = attacker(worker(5), core, attackers=min(attackers, 5))
    core.next = [own(Gradient, 0)]
    assert adversary.start() == []
    assert said(adversary.receive(worker(0), Gradient(0, vector(1.0)))) == [(Gradient, 0, 1.0)]


def test_memory_is_bounded_by_two_vectors_per_peer() -> None:
    """Also of peers that are far ahead of the attacker."""
    spy = Spy(worker(5), CLUSTER, [worker(5)], Ring())
    for step in range(100):
        for index in range(5):
            spy.hear(worker(index), Gradient(step, vector(1.0)))
    assert sum(len(inbox) for inbox in spy._inboxes.values()) == 10


ASIDE = [
    (worker(0), worker(5), Gradient(3, vector(1.0))),
    (server(0), server(5), Params(3, vector(1.0))),
]


@pytest.mark.parametrize(("sender", "receiver", "message"), ASIDE, ids=["gradient", "params"])
def test_only_a_spy_takes_what_is_said_aside(
    sender: Node, receiver: Node, message: Message
) -> None:
    frame = encode(message)
    for spies, expected in ((frozenset({receiver}), [(sender, 3)]), (frozenset(), [])):
        listener = Listener()
        Decoder(1, 10, spies=spies).hand_over(frame, sender, receiver, listener)
        assert listener.delivered == expected
        assert listener.rejected == ([] if expected else [(sender, Fault.KIND)])


def test_an_honest_node_takes_nothing_aside_in_a_run_with_spies() -> None:
    listener = Listener()
    decoder = Decoder(1, 10, spies=frozenset({worker(5)}))
    decoder.hand_over(encode(Gradient(3, vector(1.0))), worker(5), worker(0), listener)
    assert listener.rejected == [(worker(5), Fault.KIND)]


class Listener:
    """Keeps what it is handed, and what was wrong."""

    halt = None
    step = 0
    waits_for: tuple[Wait, ...] = ()
    busy = False

    def __init__(self) -> None:
        self.delivered: list[tuple[Node, int]] = []
        self.rejected: list[tuple[Node, Fault]] = []
        self.faults: dict[tuple[Node, Fault], int] = {}

    def start(self) -> None:
        """Nothing."""

    def deliver(self, sender: Node, message: Message) -> None:
        self.delivered.append((sender, message.step))

    def reject(self, sender: Node, fault: Fault) -> None:
        self.rejected.append((sender, fault))

    def compute(self) -> None:
        """Nothing."""
