"""When a fault strikes a node, and what becomes of what the node sends."""

import itertools
import signal
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import pytest
from parts_harness import CLUSTER, ScriptedCore, server, vector, worker

from guanyu_mpi.cluster import OBSERVER, Node, Role
from guanyu_mpi.faults import injector, process
from guanyu_mpi.faults.injector import Injector
from guanyu_mpi.faults.kinds import KINDS, Injection
from guanyu_mpi.journal import Journal, rank_log
from guanyu_mpi.messages import Gradient, Message, Params, Update
from guanyu_mpi.metrics import read_events
from guanyu_mpi.node import Ports, Shell
from guanyu_mpi.protocol.effects import Broadcast, Commit, ComputeGradient, Effect, Halt, Outcome
from guanyu_mpi.transport.wire import Decoder, Element, Frame, encode

SERVER, WORKER = server(5), worker(5)
ONES = vector(1.0, 2.0)
STEPS = 100


def nothing(*_: object) -> None:
    """A port that nobody listens at."""


class Wire:
    """A network that remembers what it was given, in order."""

    def __init__(self, node: Node) -> None:
        others = [*CLUSTER.nodes(Role.SERVER), *CLUSTER.nodes(Role.WORKER), OBSERVER]
        heard = others if node.role is Role.SERVER else CLUSTER.nodes(Role.SERVER)
        self.peers: Collection[Node] = [peer for peer in heard if peer != node]
        self.sent: list[tuple[Node, Message]] = []
        self.injected: list[tuple[Node, Frame]] = []
        self.pushes = 0

    def send(self, receivers: Sequence[Node], message: Message) -> None:
        self.sent += [(node, message) for node in receivers]

    def inject(self, receivers: Sequence[Node], frames: Sequence[Frame]) -> None:
        self.injected += [(node, frame) for node in receivers for frame in frames]

    def push(self) -> int:
        self.pushes += 1
        return len(self.injected)

    def got(self, node: Node) -> list[bytes]:
        return [frame.tobytes() for receiver, frame in self.injected if receiver == node]


class Struck:
    """A shell around a core that does as it is told, struck by faults."""

    def __init__(
        self,
        effects: list[Effect],
        *injections: Injection,
        narrowed: Element = Element.FLOAT32,
    ) -> None:
        node = injections[0].node
        self.wire = Wire(node)
        self.recorded: list[tuple[str, int]] = []
        ports = Ports(
            send=self.wire.send,
            gradient=lambda params, _: params,
            estimate=nothing,
            commit=nothing,
            rejected=nothing,
            halted=nothing,
            observe_every=1,
            steps=STEPS,
        )
        decoder = Decoder(2, STEPS, narrowed=narrowed)
        self.injector = Injector(injections, self.wire, decoder, 7, self._record)
        self.core = ScriptedCore(effects)
        self.shell = Shell(node, CLUSTER, self.core, self.injector.between(ports))

    def _record(self, injection: Injection, unfinished: int) -> None:
        self.recorded.append((injection.kind, unfinished))

    def goes_on(self, *effects: Effect) -> None:
        self.core.effects = list(effects)
        self.shell.deliver(worker(0), Gradient(0, ONES))


def params(step: int) -> Broadcast:
    return Broadcast(Params(step, ONES), to=Role.WORKER)


def gradient(step: int) -> Broadcast:
    return Broadcast(Gradient(step, ONES), to=Role.SERVER)


@pytest.mark.parametrize(
    "effect",
    [
        params(7),
        Broadcast(Update(7, ONES), to=Role.SERVER),
        Commit(7, ONES, (), ()),
        Halt(Outcome.FINISHED, 7, ""),
    ],
    ids=["params", "update", "commit", "halt"],
)
def test_a_fault_strikes_when_the_node_reaches_its_step_and_not_before(effect: Effect) -> None:
    struck = Struck([params(6)], Injection(SERVER, 7, "duplicate"))
    struck.shell.start()
    assert struck.recorded == []
    struck.goes_on(effect)
    assert struck.recorded == [("duplicate", 0)]


def test_a_worker_is_struck_before_it_computes() -> None:
    struck = Struck([ComputeGradient(7, ONES)], Injection(WORKER, 7, "duplicate"))
    struck.shell.start()
    assert struck.recorded == []
    struck.core.effects = []
    struck.shell.compute()
    assert struck.recorded == [("duplicate", 0)]


def test_a_step_that_is_passed_over_is_made_up_for_once() -> None:
    struck = Struck([params(40)], Injection(SERVER, 7, "duplicate", count=1))
    struck.shell.start()
    struck.goes_on(params(41))
    assert struck.recorded == [("duplicate", 0)]
    assert len(struck.wire.injected) == len(struck.wire.peers)


def test_what_ends_a_node_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setitem(injector.PROCESS, "hang", lambda _: ended.append("hang"))
    struck = Struck(
        [params(7)], Injection(SERVER, 7, "hang"), Injection(SERVER, 7, "duplicate", count=1)
    )
    struck.shell.start()
    assert struck.recorded == [("duplicate", 0), ("hang", 0)]
    assert ended == ["hang"]


@pytest.mark.parametrize("kind", ["crash", "hang", "busy-loop", "pause"])
def test_it_is_written_down_before_the_process_is_struck(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    struck = Struck([params(7)], Injection(SERVER, 7, kind))
    seen: list[list[tuple[str, int]]] = []
    monkeypatch.setitem(injector.PROCESS, kind, lambda _: seen.append(struck.recorded[:]))
    struck.shell.start()
    assert seen == [[(kind, 0)]]


def test_frames_go_to_all_peers_and_messages_go_on() -> None:
    struck = Struck([params(7)], Injection(SERVER, 7, "flood-small", count=3))
    struck.shell.start()
    assert all(len(struck.wire.got(peer)) == 3 for peer in struck.wire.peers)
    assert OBSERVER in struck.wire.peers
    assert [node for node, _ in struck.wire.sent] == list(CLUSTER.nodes(Role.WORKER))


def test_frames_go_to_the_chosen_receivers_alone() -> None:
    chosen = frozenset({server(0), worker(2)})
    struck = Struck([params(7)], Injection(SERVER, 7, "garbage", receivers=chosen))
    struck.shell.start()
    assert {node for node, _ in struck.wire.injected} == chosen


def test_a_frame_is_made_of_what_its_receiver_was_sent_last() -> None:
    struck = Struck([gradient(5), gradient(6)], Injection(WORKER, 6, "duplicate", count=2))
    struck.shell.start()
    assert struck.wire.got(server(0)) == [encode(Gradient(6, ONES)).tobytes()] * 2


def test_a_node_that_has_sent_nothing_yet_sends_zeros() -> None:
    struck = Struck([Commit(7, ONES, (), ())], Injection(SERVER, 7, "duplicate", count=1))
    struck.shell.start()
    zeros = np.zeros(2, np.float32)
    assert struck.wire.got(worker(0)) == [encode(Params(7, zeros)).tobytes()]
    assert struck.wire.got(server(0)) == [encode(Update(7, zeros)).tobytes()]


def test_a_frame_is_narrowed_where_its_receivers_messages_are() -> None:
    duplicate, narrowed = Injection(SERVER, 7, "duplicate", count=1), Element.BFLOAT16
    struck = Struck([Commit(7, ONES, (), ())], duplicate, narrowed=narrowed)
    struck.shell.start()
    zeros = np.zeros(2, np.float32)
    assert struck.wire.got(worker(0)) == [encode(Params(7, zeros), narrowed).tobytes()]
    assert struck.wire.got(server(0)) == [encode(Update(7, zeros)).tobytes()]


def test_equal_seeds_make_equal_frames() -> None:
    def frames() -> list[bytes]:
        struck = Struck([params(7)], Injection(SERVER, 7, "garbage"))
        struck.shell.start()
        return struck.wire.got(worker(1))

    assert frames() == frames()


def test_a_partial_sender_speaks_to_some_from_then_on() -> None:
    spoken_to = frozenset({worker(1), worker(4)})
    struck = Struck([params(6)], Injection(SERVER, 7, "partial-send", receivers=spoken_to))
    struck.shell.start()
    assert len(struck.wire.sent) == CLUSTER.workers
    struck.wire.sent.clear()
    struck.goes_on(params(7), Broadcast(Update(7, ONES), to=Role.SERVER))
    struck.goes_on(params(8))
    assert [(node, message.step) for node, message in struck.wire.sent] == [
        (worker(1), 7),
        (worker(4), 7),
        (worker(1), 8),
        (worker(4), 8),
    ]


def test_a_delayed_node_waits_before_each_message_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(injector.time, "sleep", waits.append)
    struck = Struck([gradient(6)], Injection(WORKER, 7, "delay", delay_ms=250.0))
    struck.shell.start()
    struck.goes_on(gradient(7), gradient(8))
    assert waits == [0.0, 0.25, 0.25]


@pytest.mark.parametrize("times", [1.0, 10.0])
def test_a_slow_worker_takes_so_many_times_as_long_for_each_gradient_from_then_on(
    times: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, waits = itertools.count(0.0, 0.25), list[float]()
    monkeypatch.setattr(injector.time, "perf_counter", lambda: next(now_s))
    monkeypatch.setattr(injector.time, "sleep", waits.append)
    struck = Struck([ComputeGradient(6, ONES)], Injection(WORKER, 7, "slow", times=times))
    struck.shell.start()
    for step in (7, 8, 9):
        struck.core.effects = [ComputeGradient(step, ONES)]
        struck.shell.compute()
    assert waits == [0.0, *2 * [(times - 1) * 0.25]]


def test_who_dies_while_sending_has_begun_and_says_how_much_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    struck = Struck([gradient(7)], Injection(WORKER, 7, "die-sending"))
    seen: list[tuple[int, list[tuple[str, int]]]] = []

    def die(_: signal.Signals) -> None:
        seen.append((struck.wire.pushes, struck.recorded[:]))

    monkeypatch.setattr(process, "die", die)
    struck.shell.start()
    assert seen == [(injector.PUSHES_BEFORE_DEATH, [("die-sending", CLUSTER.servers)])]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].strikes(SERVER)])
def test_every_kind_does_something(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    note: Callable[[object], None] = done.append
    for name in injector.PROCESS:
        monkeypatch.setitem(injector.PROCESS, name, note)
    monkeypatch.setattr(process, "die", note)
    monkeypatch.setattr(injector.time, "sleep", lambda s: note(s) if s else None)
    nobody: frozenset[Node] = frozenset()
    receivers = nobody if kind == "partial-send" else None
    struck = Struck([params(7)], Injection(SERVER, 7, kind, receivers=receivers))
    struck.shell.start()
    muted = not struck.wire.sent
    assert struck.wire.injected or done or muted
    assert [name for name, _ in struck.recorded] == [kind]


def test_a_fault_is_an_event_and_is_known_in_the_next_life(tmp_path: Path) -> None:
    path = rank_log(tmp_path, 11)
    injection = Injection(WORKER, 7, "hang")
    journal = Journal(path, WORKER, lambda: 1.0, every=5)
    assert not journal.has_suffered(injection)
    journal.struck(injection, 4)
    (event,) = read_events(path)
    assert (event["event"], event["kind"], event["step"]) == ("fault", "hang", 7)
    assert (event["node"], event["unfinished"]) == ("worker-05", 4)
    assert Journal(path, WORKER, lambda: 1.0, every=5).has_suffered(injection)
    assert not journal.has_suffered(Injection(WORKER, 8, "hang"))
    assert not journal.has_suffered(Injection(WORKER, 7, "pause"))
