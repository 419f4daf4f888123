"""A job that is told to leave: who follows it, what it says, and what the launch returns."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from state_harness import Clock, said

from guanyu_mpi.config import parse_config
from guanyu_mpi.done import Done, is_leaving, left_at, read_done, write_done
from guanyu_mpi.launch import Verdict
from guanyu_mpi.state import write_state
from guanyu_mpi.summary import launched
from guanyu_mpi.supervision import GRACE_S, LAST_WORDS_S, LEAVE_S, Supervision

CONFIG = parse_config(
    {
        "run": {"name": "tiny", "steps": 20, "stall_timeout_s": 8.0},
        "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
        "model": {"name": "quadratic"},
        "train": {"learning_rate": 0.1},
    }
)
CLUSTER = CONFIG.nodes
USR1, TERM, INT = signal.SIGUSR1, signal.SIGTERM, signal.SIGINT


def left(*ranks: int, step: int = 7, outcome: str = "left") -> list[Done]:
    return [Done(rank, str(CLUSTER.node(rank)), outcome, step, "told to") for rank in ranks]


def leaving(done: list[Done]) -> bool:
    return is_leaving(done, CLUSTER, steps=20)


class Told:
    """A job without processes; time passes as it is told to."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.clock = Clock()
        self.passed_on = self.asked = 0
        self.supervision = Supervision(CONFIG, run_dir, self.ask, self.clock)

    def ask(self) -> None:
        self.asked += 1

    def pass_on(self) -> None:
        self.passed_on += 1

    def begins(self) -> None:
        for rank in range(13):
            write_state(self.run_dir, said(rank, 7))

    def is_told(self) -> None:
        self.supervision.leave(self.pass_on)

    def leaves(self, *ranks: int, step: int = 7, outcome: str = "left") -> None:
        for done in left(*ranks, step=step, outcome=outcome):
            write_done(self.run_dir, done)

    def goes_on_for(self, seconds: float) -> bool:
        """Whether the job may go on all this time, in which it is told again and again."""
        end_s = self.clock.now_s + seconds
        while self.clock.now_s < end_s:
            if not self.supervision.look():
                return False
            if self.passed_on:
                self.is_told()
            self.clock.now_s += 0.1
        return True


@pytest.fixture
def job(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_it_is_passed_on_once_and_the_job_may_take_its_time(job: Told) -> None:
    job.begins()
    job.is_told()
    assert not job.supervision.dismissed
    assert job.goes_on_for(LEAVE_S - 1.0)
    assert job.passed_on == 1
    assert job.asked == 0


def test_a_job_that_has_left_is_ended_if_a_rank_hangs(job: Told) -> None:
    job.begins()
    job.is_told()
    job.leaves(0, 1, 2, 4)
    assert job.goes_on_for(1.0)
    job.leaves(5)
    assert job.goes_on_for(GRACE_S - 1.0)
    assert not job.goes_on_for(2.0)
    assert job.supervision.remarks() == ()


def test_a_job_that_does_not_leave_is_asked_why_and_ended(job: Told) -> None:
    job.begins()
    job.is_told()
    assert job.goes_on_for(LEAVE_S - 1.0)
    assert not job.goes_on_for(1.0 + LAST_WORDS_S + 1.0)
    assert job.asked == 1
    assert job.supervision.remarks()[0] == "ended: told to leave, and still there after 60 s"


def test_a_job_that_has_not_begun_is_ended_at_once(job: Told) -> None:
    job.is_told()
    assert job.supervision.dismissed
    assert not job.goes_on_for(0.1)
    job.begins()
    job.is_told()
    assert job.passed_on == 0
    assert job.supervision.remarks() == ()


def test_servers_that_leave_by_themselves_are_not_lost(job: Told) -> None:
    job.begins()
    job.leaves(0, 1)
    assert job.goes_on_for(LEAVE_S - 1.0)
    assert job.asked == 0
    assert not job.goes_on_for(1.0 + LAST_WORDS_S + 1.0)


def test_servers_that_leave_without_one_that_has_failed_are_not_lost(job: Told) -> None:
    """Also at a moment at which the first of them has left, and the second has not."""
    job.begins()
    job.leaves(5, step=3, outcome="failed")
    assert job.goes_on_for(1.0)
    job.leaves(0)
    assert job.goes_on_for(1.0)
    job.leaves(1, 2, 3, 4)
    assert job.goes_on_for(GRACE_S - 1.0)
    assert (job.asked, job.supervision.remarks()) == (0, ())
    assert left_at(read_done(job.run_dir, CLUSTER), CLUSTER) == 7


def test_a_job_that_is_lost_as_a_single_server_leaves_is_ended(job: Told) -> None:
    job.begins()
    job.leaves(5, step=3, outcome="failed")
    job.leaves(0)
    assert not job.goes_on_for(LEAVE_S + LAST_WORDS_S + 1.0)
    assert job.asked == 1


def test_a_single_liar_that_leaves_does_not_hurry_the_others(job: Told) -> None:
    job.begins()
    job.leaves(3, 6, 7)
    assert not job.goes_on_for(LEAVE_S)
    assert job.supervision.remarks()[0].startswith("ended: no progress for")


def test_it_is_saved_where_a_quorum_of_servers_has_left() -> None:
    assert left_at(left(0, 1, 2, 3, 4), CLUSTER) == 7
    assert left_at(left(0, 1, 2, 3), CLUSTER) is None
    assert left_at(left(0, 1, 2, 3) + left(4, step=8), CLUSTER) is None
    assert left_at(left(0, 1, 2, 3, 6, 7, 12), CLUSTER) is None
    assert left_at(left(0, 1, 2, 3, 4, outcome="failed"), CLUSTER) is None


def test_all_leave_where_more_do_than_can_lie() -> None:
    assert leaving(left(0) + left(5, step=8))
    assert not leaving(left(5))
    assert not leaving(left(5, 6, 7, 8))
    assert not leaving(left(0, 1, outcome="failed"))
    # A quorum is missed, and one of those whom it misses has left.
    assert leaving(left(0) + left(5, outcome="failed"))
    assert not leaving(left(0) + left(5, step=20, outcome="finished"))
    assert not leaving(left(0) + left(6, outcome="failed"))


@pytest.mark.parametrize(
    ("finished", "told_by", "left_step", "begun", "status"),
    [
        (False, USR1, 7, True, 85),
        (False, TERM, 7, True, 85),
        (False, INT, 7, True, 130),
        # Its time was up.
        (False, None, 7, True, 85),
        # Told, but not saved: there may be an older checkpoint, or none.
        (False, USR1, None, True, 1),
        (False, INT, None, True, 130),
        # Nothing to save.
        (False, USR1, None, False, 85),
        (False, INT, None, False, 130),
        # It was faster.
        (True, USR1, None, True, 0),
        (True, INT, None, True, 0),
    ],
)
def test_the_exit_status_says_whether_it_is_saved(
    finished: bool, told_by: signal.Signals | None, left_step: int | None, begun: bool, status: int
) -> None:
    verdict = Verdict(finished, (), 85, begun, told_by=told_by, left_at=left_step)
    assert verdict.exit_status == status


def test_who_is_told_reads_where_it_is_saved_and_who_is_elsewhere(tmp_path: Path) -> None:
    done = (*left(0, 1, 2, 3, 4, 6, 7), *left(5, step=6), *left(8, outcome="failed"))
    verdict = Verdict(False, done, 85, begun=True, told_by=USR1, left_at=7)
    lines = launched(CONFIG, tmp_path, verdict)
    assert lines[:2] == [
        "left: saved at step 7 by 5 of 6 servers; the same command continues",
        "  worker-02: failed at step 7: told to",
    ]
    assert lines[-1] == f"run directory: {tmp_path}"
    early = replace(verdict, done=(), begun=False, left_at=None)
    assert launched(CONFIG, tmp_path, early)[0].startswith("left before the first step; ")


def test_a_rank_that_left_a_job_that_went_on_is_told(tmp_path: Path) -> None:
    done = (*left(0, 1, 2, 3, 4, step=20, outcome="finished"), *left(5))
    assert "  server-05: left at step 7: told to" in launched(
        CONFIG, tmp_path, Verdict(True, done, 85)
    )
