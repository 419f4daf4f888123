"""What looks after a rank: patience, and answers to a signal."""

import faulthandler
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts_harness import CLUSTER, server, worker
from state_harness import Clock, Part

from guanyu_mpi.cluster import OBSERVER, Node
from guanyu_mpi.messages import Gradient
from guanyu_mpi.protocol.quorum import Wait
from guanyu_mpi.stall import BEATS
from guanyu_mpi.state import read_states, stack_path, state_path
from guanyu_mpi.transport.traffic import Traffic
from guanyu_mpi.watch import Asked, Watch

TIMEOUT_S = 8.0
SERVER = server(2)
VOTED = (worker(0), worker(1))


class Links:
    """A network with this traffic."""

    def __init__(self) -> None:
        self.traffic = Traffic()


class Rank:
    """A watched participant; time passes as it is told to."""

    def __init__(self, run_dir: Path, asked: Asked, node: Node = SERVER) -> None:
        self.clock = Clock()
        self.part = Part()
        self.links = Links()
        self.watch = Watch(
            node,
            CLUSTER,
            self.part,  # type: ignore[arg-type]
            self.links,
            run_dir=run_dir,
            asked=asked,
            timeout_s=TIMEOUT_S,
            clock_s=self.clock,
        )

    def waits(self, seconds: float) -> str:
        """Why it waits in vain within this time, or nothing."""
        end_s = self.clock.now_s + seconds
        while self.clock.now_s < end_s:
            reason = self.watch.look()
            if reason:
                return reason
            self.clock.now_s += 0.2
        return ""


@pytest.fixture
def asked() -> Iterator[Asked]:
    before = signal.getsignal(signal.SIGUSR2)
    listener = Asked()
    listener.listen()
    yield listener
    faulthandler.unregister(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, before)


def test_who_waits_in_vain_says_for_whom(tmp_path: Path, asked: Asked) -> None:
    rank = Rank(tmp_path, asked)
    assert rank.waits(TIMEOUT_S - 0.5) == ""
    assert rank.waits(1.0) == (
        "no progress for 8 s: waits for Gradient(41): has worker-00, -02, -03 (3 of 5); "
        "missing worker-01, -04, -05"
    )


def test_a_vote_or_a_step_renews_its_patience(tmp_path: Path, asked: Asked) -> None:
    rank = Rank(tmp_path, asked)
    assert rank.waits(TIMEOUT_S - 1.0) == ""
    rank.part.waits_for = (Wait(Gradient, 41, 5, VOTED),)
    assert rank.waits(TIMEOUT_S - 1.0) == ""
    rank.part.step += 1
    assert rank.waits(TIMEOUT_S - 1.0) == ""
    assert rank.waits(2.0)


def test_a_gradient_that_takes_long_is_no_stall_of_who_computes_it(
    tmp_path: Path, asked: Asked
) -> None:
    rank = Rank(tmp_path, asked, worker(0))
    assert rank.waits(TIMEOUT_S - 2.0) == ""
    rank.clock.now_s += 100 * TIMEOUT_S
    assert rank.waits(0.5) == ""


def test_who_waits_for_its_disk_alone_says_so(tmp_path: Path, asked: Asked) -> None:
    rank = Rank(tmp_path, asked)
    with rank.watch.saving():
        assert [state.doing for state in read_states(tmp_path, CLUSTER)] == ["saves"]
        os.kill(os.getpid(), signal.SIGUSR2)
        rank.watch.answer()
        assert [state.doing for state in read_states(tmp_path, CLUSTER)] == ["saves"]
    rank.watch.write()
    assert [state.doing for state in read_states(tmp_path, CLUSTER)] == ["waits"]


def test_the_observer_may_hear_nothing_as_long_as_a_quorum_is_there(
    tmp_path: Path, asked: Asked
) -> None:
    rank = Rank(tmp_path, asked, OBSERVER)
    rank.links.traffic = Traffic(gone=[server(0)])
    assert rank.waits(10 * TIMEOUT_S) == ""
    rank.links.traffic = Traffic(gone=[server(0)], left=[server(1)])
    assert rank.waits(TIMEOUT_S - 1.0) == ""
    assert rank.waits(2.0)


def test_it_writes_its_state_several_times_within_the_timeout(
    tmp_path: Path, asked: Asked
) -> None:
    rank = Rank(tmp_path, asked)
    rank.watch.begin()
    for step in range(1, BEATS):
        rank.part.step = step
        rank.waits(TIMEOUT_S / BEATS + 0.4)
        assert [state.step for state in read_states(tmp_path, CLUSTER)] == [step]


def test_a_signal_is_answered_once_with_state_and_stacks(tmp_path: Path, asked: Asked) -> None:
    rank = Rank(tmp_path, asked)
    rank.watch.begin()
    assert stack_path(tmp_path, 2).read_text() == ""
    for answers in (1, 2):
        os.kill(os.getpid(), signal.SIGUSR2)
        rank.watch.answer()
        rank.watch.answer()
        (state,) = read_states(tmp_path, CLUSTER)
        assert state.answers == answers
        stacks = stack_path(tmp_path, 2).read_text()
        assert stacks.count("test_a_signal_is_answered_once") == answers


def test_a_library_that_takes_the_signal_does_not_keep_it(asked: Asked) -> None:
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    asked.listen()
    os.kill(os.getpid(), signal.SIGUSR2)
    assert asked.taken()
    assert not asked.taken()


def test_a_full_disk_does_not_end_a_rank(tmp_path: Path, asked: Asked) -> None:
    rank = Rank(tmp_path, asked)
    state_path(tmp_path, 2).with_suffix(".tmp").mkdir(parents=True)
    assert rank.waits(TIMEOUT_S / 2) == ""
    assert read_states(tmp_path, CLUSTER) == []
