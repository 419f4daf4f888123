"""The last message of a run, from a peer that is gone in the same moment."""

from guanyu_mpi.job import _serve
from guanyu_mpi.protocol.effects import Halt, Outcome

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
        self._last_message = last_message

    def poll(self, worker: Worker) -> bool:
        self.all_left = True
        if self._last_message:
            worker.halt = FINISHED
        return True


class Watch:
    def look(self) -> str:
        return ""


def test_who_finishes_as_the_last_peer_leaves_has_finished() -> None:
    assert _serve(Network(last_message=True), Worker(), Watch()) is FINISHED


def test_who_is_left_alone_before_that_has_failed() -> None:
    halt = _serve(Network(last_message=False), Worker(), Watch())
    assert halt.outcome is Outcome.FAILED
    assert halt.reason == "every peer has left before this node was done"
