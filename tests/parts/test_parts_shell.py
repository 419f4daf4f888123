"""The shell of a node: performs what its core asks for, in order, and nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from parts_harness import CLUSTER, ScriptedCore, server, vector, worker

from guanyu_mpi.cluster import OBSERVER, Node, Role
from guanyu_mpi.errors import Fault, InvariantError
from guanyu_mpi.messages import Gradient, Message, Params, Report, Update, Vector
from guanyu_mpi.node import Ports, Shell
from guanyu_mpi.protocol.effects import (
    Aggregated,
    Broadcast,
    Commit,
    ComputeGradient,
    Effect,
    Halt,
    Outcome,
    Send,
)

THETA = vector(1.0, 2.0)
SERVER = server(2)


class Diary:
    """Ports that write down what is done with them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.computed: list[tuple[list[float], int]] = []
        self.estimated: list[int] = []
        self.report: Vector | None = vector(7.0)

    def ports(self, *, observe_every: int = 1, steps: int = 10) -> Ports:
        return Ports(
            send=self.send,
            gradient=self.gradient,
            estimate=self.estimate,
            commit=lambda commit: self.lines.append(f"commit {commit.step}"),
            rejected=lambda sender, fault, times: self.lines.append(
                f"rejected {sender} {fault.value} {times}"
            ),
            halted=lambda halt: self.lines.append(f"halted {halt.step}"),
            observe_every=observe_every,
            steps=steps,
        )

    def send(self, receivers: Sequence[Node], message: Message) -> None:
        kind, to = type(message).__name__, " ".join(str(node) for node in receivers)
        self.lines.append(f"{kind}({message.step}) to {to}")

    def gradient(self, params: Vector, step: int) -> Vector:
        self.computed.append((params.tolist(), step))
        return params * 2

    def estimate(self, aggregated: Aggregated) -> Vector | None:
        self.estimated.append(aggregated.step)
        return self.report


def shell(diary: Diary, *effects: Effect, node: Node = SERVER, observe_every: int = 1) -> Shell:
    ports = diary.ports(observe_every=observe_every)
    return Shell(node, CLUSTER, ScriptedCore(effects), ports)


def test_effects_are_performed_in_their_order() -> None:
    diary = Diary()
    shell(
        diary,
        Broadcast(Params(10, THETA), to=Role.WORKER),
        Commit(10, THETA, (), ()),
        Halt(Outcome.FINISHED, 10, ""),
    ).start()
    workers = " ".join(str(worker(index)) for index in range(6))
    assert diary.lines == [f"Params(10) to {workers}", "commit 10", "halted 10"]


def test_a_broadcast_goes_to_all_of_the_role_but_oneself() -> None:
    diary = Diary()
    shell(diary, Broadcast(Update(3, THETA), to=Role.SERVER)).start()
    assert diary.lines == ["Update(3) to server-00 server-01 server-03 server-04 server-05"]


def test_a_send_goes_to_one_node() -> None:
    diary = Diary()
    shell(diary, Send(Update(3, THETA), server(4))).start()
    assert diary.lines == ["Update(3) to server-04"]


def test_what_arrives_is_handed_to_the_core() -> None:
    core = ScriptedCore([])
    message = Gradient(3, THETA)
    Shell(server(2), CLUSTER, core, Diary().ports()).deliver(worker(1), message)
    assert core.received == [(worker(1), message)]


@pytest.mark.parametrize(
    ("observe_every", "seen"), [(1, list(range(11))), (4, [0, 4, 8, 10]), (100, [0, 10])]
)
def test_the_observer_is_sent_every_kth_step_and_the_last(
    observe_every: int, seen: list[int]
) -> None:
    diary = Diary()
    effects = [Broadcast(Params(step, THETA), to=Role.OBSERVER) for step in range(11)]
    shell(diary, *effects, observe_every=observe_every).start()
    assert diary.lines == [f"Params({step}) to {OBSERVER}" for step in seen]


def test_the_observer_is_told_of_the_gradients_of_every_kth_step_which_alone_are_looked_at() -> (
    None
):
    diary = Diary()
    effects = [Aggregated(step, (worker(1),), (THETA,), THETA) for step in range(10)]
    shell(diary, *effects, observe_every=4).start()
    assert diary.lines == [f"Report({step}) to {OBSERVER}" for step in (0, 4, 8)]
    assert diary.estimated == [0, 4, 8]


def test_who_has_nothing_to_report_sends_nothing() -> None:
    diary = Diary()
    diary.report = None
    shell(diary, Aggregated(4, (worker(1),), (THETA,), THETA)).start()
    assert diary.lines == []


def test_a_report_says_what_was_estimated() -> None:
    diary, sent = Diary(), list[Message]()
    ports = replace(diary.ports(), send=lambda _, message: sent.append(message))
    core = ScriptedCore([Aggregated(4, (worker(1),), (THETA,), THETA)])
    Shell(SERVER, CLUSTER, core, ports).start()
    ((step, said),) = [(message.step, message.vector.tolist()) for message in sent]
    assert isinstance(sent[0], Report)
    assert (step, said) == (4, [7.0])


def test_an_attacker_keeps_to_the_observers_steps() -> None:
    """An equivocating one sends to the observer alone."""
    diary = Diary()
    effects = [Send(Params(step, THETA), OBSERVER) for step in range(11)]
    shell(diary, *effects, observe_every=4).start()
    assert len(diary.lines) == 4


def test_workers_are_sent_every_step() -> None:
    diary = Diary()
    effects = [Broadcast(Params(step, THETA), to=Role.WORKER) for step in range(11)]
    shell(diary, *effects, observe_every=4).start()
    assert len(diary.lines) == 11


def test_it_is_busy_from_the_request_for_a_gradient_until_that_is_computed() -> None:
    diary = Diary()
    node = shell(diary, ComputeGradient(3, THETA), node=worker(1))
    assert not node.busy
    node.start()
    assert node.busy
    assert diary.computed == []


def test_a_computed_gradient_is_its_own_message() -> None:
    diary = Diary()
    core = ScriptedCore([ComputeGradient(3, THETA)])
    node = Shell(worker(1), CLUSTER, core, diary.ports())
    node.start()
    core.effects.clear()
    node.compute()
    assert diary.computed == [([1.0, 2.0], 3)]
    ((sender, message),) = core.received
    assert sender == worker(1)
    assert isinstance(message, Gradient)
    assert (message.step, message.vector.tolist()) == (3, [2.0, 4.0])
    assert not node.busy


def test_a_request_that_the_gradient_brings_about_is_not_lost() -> None:
    """The core asks for the next one while it is handed the last."""
    node = shell(Diary(), ComputeGradient(4, THETA), node=worker(1))
    node.start()
    node.compute()
    assert node.busy


def test_computing_without_a_request_is_our_own_fault() -> None:
    with pytest.raises(InvariantError, match="worker-01 has no gradient to compute"):
        shell(Diary(), node=worker(1)).compute()


def test_bad_frames_are_counted_by_sender_and_fault() -> None:
    diary = Diary()
    node = shell(diary)
    for sender, fault in [(1, Fault.SIZE), (1, Fault.STEP), (1, Fault.SIZE), (2, Fault.SIZE)]:
        node.reject(worker(sender), fault)
    assert diary.lines == [
        "rejected worker-01 size 1",
        "rejected worker-01 step 1",
        "rejected worker-01 size 2",
        "rejected worker-02 size 1",
    ]


@pytest.mark.parametrize("fault", list(Fault))
def test_only_a_vector_that_is_not_finite_concerns_the_core(fault: Fault) -> None:
    core = ScriptedCore([])
    Shell(server(2), CLUSTER, core, Diary().ports()).reject(worker(1), fault)
    assert core.distrusted == ([worker(1)] if fault is Fault.NON_FINITE else [])


def test_what_distrust_brings_about_is_performed() -> None:
    diary = Diary()
    node = shell(diary, Halt(Outcome.DIVERGED, 3, "two are not finite"))
    node.reject(worker(1), Fault.NON_FINITE)
    assert diary.lines == ["rejected worker-01 non-finite 1", "halted 3"]


def test_that_it_is_to_vote_no_more_is_handed_to_the_core() -> None:
    core = ScriptedCore([])
    Shell(SERVER, CLUSTER, core, Diary().ports()).vote_no_more()
    assert not core.votes


def test_it_has_halted_once_its_core_has() -> None:
    halt = Halt(Outcome.FINISHED, 10, "")
    node = shell(Diary(), halt)
    assert node.halt is None
    node.start()
    assert node.halt is halt
