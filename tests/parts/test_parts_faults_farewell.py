"""The last message of a run, from a peer that is gone in the same moment."""

from guanyu_mpi.account import Account
from guanyu_mpi.errors import CommunicatorLost
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.serving import _serve, hear
from guanyu_mpi.transport.backoff import Backoff

FINISHED = Halt(Outcome.FINISHED, 50, "")


class Worker:
    """Waits for one message, and is done with it."""

    busy = False
    step = 50

    def __init__(self) -> None:
        self.halt: Halt | None = None

    def start(self) -> None: ...


class Network:
    """One poll delivers the last message, if there is one, and finds every peer gone."""

    all_left = False
    receiving = False

    def __init__(self, *, last_message: bool) -> None:
        self.account = Account()
        self._last_message = last_message

    def poll(self, worker: Worker) -> bool:
        self.all_left = True
        if self._last_message:
            worker.halt = FINISHED
        return True


class Lost(Network):
    """Its communicator has been revoked."""

    def poll(self, _: Worker) -> bool:
        raise CommunicatorLost


class Watch:
    def __init__(self) -> None:
        self.answered = 0

    def look(self) -> str:
        return ""

    def answer(self) -> None:
        self.answered += 1


class Leaving:
    """Leaves, if the others do, as soon as it has looked."""

    def __init__(self, reason: str = "") -> None:
        self._reason = reason

    def reason(self, _: Network) -> str:
        return self._reason

    def go(self, _: Network, worker: Worker, reason: str) -> Halt:
        return worker.halt or Halt(Outcome.LEFT, worker.step, reason)


def test_who_finishes_as_the_last_peer_leaves_has_finished() -> None:
    assert _serve(Network(last_message=True), Worker(), Watch(), Leaving(), Backoff()) is FINISHED


def test_who_is_left_alone_before_that_has_failed() -> None:
    halt = _serve(Network(last_message=False), Worker(), Watch(), Leaving(), Backoff())
    assert halt.outcome is Outcome.FAILED
    assert halt.reason == "every peer has left before this node was done"


def test_who_hears_that_the_others_leave_as_the_last_of_them_does_leaves_too() -> None:
    leaving = Leaving("the others leave")
    assert _serve(Network(last_message=True), Worker(), Watch(), leaving, Backoff()) is FINISHED
    halt = _serve(Network(last_message=False), Worker(), Watch(), leaving, Backoff())
    assert (halt.outcome, halt.reason) == (Outcome.LEFT, "the others leave")


def test_who_can_send_nothing_any_more_still_waits_for_its_disk() -> None:
    """It has a word of its own to write once its checkpoint is there, or cannot be."""
    watch, backoff = Watch(), Backoff()
    for _ in range(3):
        hear(Lost(last_message=False), Worker(), watch, backoff)
    assert watch.answered == 3
