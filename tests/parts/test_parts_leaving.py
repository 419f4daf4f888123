"""When a rank leaves before the end, and how."""

import os
import signal
from collections.abc import Collection

import pytest
from parts_harness import CLUSTER, server, vector, worker
from state_harness import Clock, Part

from guanyu_mpi import leaving as leaving_module
from guanyu_mpi.cluster import OBSERVER, Cluster, Node
from guanyu_mpi.errors import CommunicatorLost, Fault
from guanyu_mpi.leaving import END_TIME_ENV, Hearing, Leaving, Limit, is_believed
from guanyu_mpi.messages import Gradient, Message, Params, Update
from guanyu_mpi.processes import LEAVE, ToldToLeave
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.transport.participant import Receiver

HOUR_S = 3600.0
NEVER = Limit(0.0, {})
FINISHED = Halt(Outcome.FINISHED, 50, "")


class Recorder(Part):
    """A participant that writes down what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Message] = []
        self.rejected: list[Fault] = []
        self.heard_before: list[Message] | None = None

    def vote_no_more(self) -> None:
        self.heard_before = list(self.heard)

    def deliver(self, _: Node, message: Message) -> None:
        self.heard.append(message)

    def reject(self, _: Node, fault: Fault) -> None:
        self.rejected.append(fault)


class Links:
    """A network that delivers a message of each kind in every poll."""

    receiving = False
    said_farewell = True

    def __init__(self, polls: int = 3) -> None:
        self.leaving: Collection[Node] = ()
        self.asked_for: Collection[Node] = ()
        self.said: list[str] = []
        self._polls = polls

    @property
    def all_left(self) -> bool:
        return self._polls <= 0

    def awaits_votes(self, nodes: Collection[Node]) -> bool:
        self.asked_for = nodes
        return bool(nodes) and self._polls > 0

    def poll(self, receiver: Receiver) -> bool:
        self._polls -= 1
        for kind in (Params, Gradient, Update):
            receiver.deliver(server(1), kind(41, vector(1.0)))
        receiver.reject(server(2), Fault.SIZE)
        return True

    def say_leaving(self) -> None:
        self.said.append("leaving")

    def say_farewell(self) -> None:
        self.said.append("farewell")


class Lost(Links):
    """A network whose communicator somebody has revoked."""

    def poll(self, _: Receiver) -> bool:
        raise CommunicatorLost


SERVER = server(0)


def rank(node: Node = SERVER, limit: Limit = NEVER, save_s: float = 0.0) -> Leaving:
    return Leaving(node, CLUSTER, ToldToLeave(), limit, lambda: save_s)


@pytest.mark.parametrize("first", LEAVE)
def test_the_first_signal_decides_and_a_second_changes_nothing(first: signal.Signals) -> None:
    before = [signal.getsignal(signum) for signum in LEAVE]
    with ToldToLeave() as told:
        assert told.by is None
        for signum in (first, *LEAVE, first):
            os.kill(os.getpid(), signum)
        assert told.by is first
    assert [signal.getsignal(signum) for signum in LEAVE] == before


def test_a_library_that_takes_the_signals_does_not_keep_them() -> None:
    with ToldToLeave() as told:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        told.listen()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert told.by is signal.SIGUSR1


def test_being_continued_is_no_reason_to_leave() -> None:
    with ToldToLeave() as told:
        os.kill(os.getpid(), signal.SIGCONT)
        assert told.by is None


def limit_after(clock: Clock, wall_time_s: float, end: str = "", date_s: float = 0.0) -> Limit:
    return Limit(wall_time_s, {END_TIME_ENV: end}, clock, lambda: date_s)


@pytest.mark.parametrize(
    ("longest_save_s", "margin_s"), [(0.0, 30.0), (10.0, 30.0), (60.0, 180.0), (1e6, HOUR_S / 2)]
)
def test_it_is_time_to_leave_as_long_ahead_as_saving_takes(
    longest_save_s: float, margin_s: float
) -> None:
    clock = Clock()
    limit = limit_after(clock, HOUR_S)
    clock.now_s += HOUR_S - margin_s - 1
    assert not limit.near(longest_save_s)
    clock.now_s += 1
    assert limit.near(longest_save_s)


def test_half_of_a_short_time_is_used() -> None:
    limit = limit_after(clock := Clock(), 20.0)
    clock.now_s += 9.0
    assert not limit.near(0.0)
    clock.now_s += 1.0
    assert limit.near(0.0)


@pytest.mark.parametrize(
    ("wall_time_s", "left_s"), [(0.0, 500.0), (HOUR_S, 500.0), (100.0, 100.0)]
)
def test_the_batch_system_may_end_the_job_first(wall_time_s: float, left_s: float) -> None:
    clock = Clock()
    limit = limit_after(clock, wall_time_s, end="1700000500", date_s=1.7e9)
    clock.now_s += left_s - 31.0
    assert not limit.near(0.0)
    clock.now_s += 1.0
    assert limit.near(0.0)


@pytest.mark.parametrize("end", ["", "soon", "-1", "1e9", "12.5"])
def test_without_a_limit_there_is_none(end: str) -> None:
    limit = limit_after(clock := Clock(), 0.0, end)
    clock.now_s += 1e9
    assert not limit.near(1e9)


def test_a_time_that_is_over_is_no_time() -> None:
    assert limit_after(Clock(), 0.0, end="100", date_s=1e9).near(0.0)


@pytest.mark.parametrize(
    ("leaving", "believed"),
    [
        ((), False),
        ((server(3),), False),
        ((worker(3),), False),
        ((server(3), worker(3), OBSERVER), False),
        ((server(3), server(5)), True),
        ((worker(0), worker(5)), True),
    ],
)
def test_more_than_can_lie_are_believed(leaving: tuple[Node, ...], believed: bool) -> None:
    assert is_believed(leaving, CLUSTER) is believed


def test_one_is_believed_where_nobody_lies() -> None:
    cluster = Cluster(1, 0, 1, 8, 2, 6)
    assert is_believed([server(0)], cluster)
    assert not is_believed([worker(1), worker(2)], cluster)
    assert not is_believed([OBSERVER], Cluster(3, 0, 3, 3, 0, 3))


def test_a_rank_leaves_because_of_a_signal_the_time_or_the_others() -> None:
    network = Links()
    node = rank()
    assert node.reason(network) == ""
    network.leaving = [server(1), server(2)]
    assert node.reason(network) == "the others leave"
    assert rank(limit=limit_after(Clock(), 0.0, "100", 1e9)).reason(network) == "its time is up"
    limit = Limit(HOUR_S, {}, clock := Clock())
    clock.now_s += HOUR_S - 100.0
    assert rank(limit=limit).reason(Links()) == ""
    assert rank(limit=limit, save_s=40.0).reason(Links()) == "its time is up"
    with ToldToLeave() as told:
        os.kill(os.getpid(), signal.SIGTERM)
        assert (
            Leaving(SERVER, CLUSTER, told, NEVER, lambda: 0.0).reason(network)
            == "told to by SIGTERM"
        )


def test_a_server_waits_for_the_last_votes_and_hears_only_updates() -> None:
    part, network = Recorder(), Links(polls=3)
    halt = rank(server(4)).go(network, part, "told to")  # type: ignore[arg-type]
    assert (halt.outcome, halt.step, halt.reason) == (Outcome.LEFT, 41, "told to")
    assert list(network.asked_for) == [server(index) for index in (0, 1, 2, 3, 5)]
    # Before anything of the others can make it use what it has.
    assert part.heard_before == []
    assert [type(message) for message in part.heard] == [Update] * 3
    assert part.rejected == [Fault.SIZE] * 3
    assert network.said == ["leaving"] * 3


@pytest.mark.parametrize("node", [worker(2), OBSERVER], ids=str)
def test_nobody_waits_for_the_votes_of_workers(node: Node) -> None:
    part, network = Recorder(), Links()
    assert rank(node).go(network, part, "told to").outcome is Outcome.LEFT  # type: ignore[arg-type]
    assert part.heard == []


def test_a_server_that_is_there_by_its_last_vote_has_finished() -> None:
    part, network = Recorder(), Links()
    part.halt = Halt(Outcome.FINISHED, 41, "")
    assert rank().go(network, part, "told to") is part.halt  # type: ignore[arg-type]


def test_who_does_not_vote_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving_module, "AGREE_S", 0.05)
    part, network = Recorder(), Links(polls=10**9)
    halt = rank().go(network, part, "told to")  # type: ignore[arg-type]
    assert halt.outcome is Outcome.LEFT
    assert network.awaits_votes([server(1)])


def test_what_a_rank_has_saved_stays_true_while_it_lingers() -> None:
    part, network, node = Recorder(), Links(polls=1), rank(worker(0))
    halt = node.go(network, part, "told to")  # type: ignore[arg-type]
    node.linger(network, part, halt, lambda: None)  # type: ignore[arg-type]
    assert part.heard == []
    assert network.said == ["leaving", "farewell"]


def test_who_has_failed_takes_no_part_while_it_lingers() -> None:
    part, network = Recorder(), Links(polls=1)
    rank().linger(network, part, Halt(Outcome.FAILED, 41, "disk"), lambda: None)  # type: ignore[arg-type]
    assert part.heard == []
    assert network.said == ["farewell"]


def test_who_can_send_nothing_any_more_does_not_linger() -> None:
    part, network = Recorder(), Lost()
    rank().linger(network, part, FINISHED, lambda: None)  # type: ignore[arg-type]
    assert (part.heard, network.said) == ([], [])


def test_who_has_finished_serves_the_others_as_before() -> None:
    part, network = Recorder(), Links(polls=1)
    rank().linger(network, part, FINISHED, lambda: None)  # type: ignore[arg-type]
    assert len(part.heard) == 3
    assert network.said == ["farewell"]


def test_hearing_is_of_the_named_kinds_and_of_every_fault() -> None:
    part = Recorder()
    deaf, half_deaf = Hearing(part), Hearing(part, Params, Gradient)
    for receiver in (deaf, half_deaf):
        receiver.deliver(server(0), Update(3, vector(1.0)))
        receiver.deliver(server(0), Params(3, vector(1.0)))
        receiver.reject(server(0), Fault.STEP)
    assert [type(message) for message in part.heard] == [Params]
    assert part.rejected == [Fault.STEP] * 2
