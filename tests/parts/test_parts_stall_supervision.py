"""Supervision: how long a job may go on, by what its ranks have written."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from state_harness import Clock, said

from guanyu_mpi.cluster import OBSERVER
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.done import Done, is_lost, write_done
from guanyu_mpi.launch import Verdict
from guanyu_mpi.stall import PATIENCE
from guanyu_mpi.state import SAVES, stack_path, write_state
from guanyu_mpi.supervision import GRACE_S, LAST_WORDS_S, LEAVE_S, Supervision


def configured(stall_timeout_s: float) -> Config:
    return parse_config(
        {
            "run": {"name": "tiny", "steps": 20, "stall_timeout_s": stall_timeout_s},
            "cluster": {
                "servers": 6,
                "byzantine_servers": 1,
                "workers": 6,
                "byzantine_workers": 1,
            },
            "model": {"name": "quadratic"},
            "train": {"learning_rate": 0.1},
        }
    )


CONFIG = configured(8.0)


class Followed:
    """A job without processes, and who follows it; time passes as it is told to."""

    def __init__(self, run_dir: Path, config: Config = CONFIG) -> None:
        self.run_dir = run_dir
        self.clock = Clock()
        self.asked = 0
        self.supervision = Supervision(config, run_dir, self.ask, self.clock)

    def ask(self) -> None:
        self.asked += 1

    def goes_on_for(self, seconds: float) -> bool:
        """Whether the job may go on all this time."""
        end_s = self.clock.now_s + seconds
        while self.clock.now_s < end_s:
            if not self.supervision.look():
                return False
            self.clock.now_s += 0.1
        return True

    def end(self, outcome: str, *ranks: int, step: int = 20) -> None:
        for rank in ranks:
            node = str(CONFIG.nodes.node(rank))
            write_done(self.run_dir, Done(rank, node, outcome, step, "because"))


@pytest.fixture
def job(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


def test_a_hung_rank_is_waited_for_a_while_once_enough_have_finished(job: Followed) -> None:
    assert job.goes_on_for(100.0)
    job.end("finished", 0, 1, 2, 3, 4)
    assert job.goes_on_for(GRACE_S - 1.0)
    assert not job.goes_on_for(2.0)
    assert job.asked == 0
    assert job.supervision.remarks() == ()


@pytest.mark.parametrize("evaluated_s", [None, GRACE_S / 2, 2 * GRACE_S])
def test_the_last_evaluation_may_take_as_long_as_a_step(
    tmp_path: Path, evaluated_s: float | None
) -> None:
    stall_timeout_s = 3 * GRACE_S
    job = Followed(tmp_path, configured(stall_timeout_s))
    job.end("finished", 0, 1, 2, 3, 4)
    assert job.goes_on_for(evaluated_s or stall_timeout_s - 1.0)
    if evaluated_s:
        job.end("finished", CONFIG.nodes.rank(OBSERVER))
        assert job.goes_on_for(max(0.0, GRACE_S - evaluated_s - 1.0))
    assert not job.goes_on_for(2.0)
    assert job.supervision.remarks() == ()


@pytest.mark.parametrize("outcome", ["failed", "diverged"])
def test_a_job_that_has_lost_its_quorum_is_asked_and_ended(job: Followed, outcome: str) -> None:
    job.end(outcome, 2, step=7)
    assert job.goes_on_for(1.0)
    job.end(outcome, 4, step=7)
    assert job.goes_on_for(LAST_WORDS_S - 1.0)
    assert job.asked == 1
    assert not job.goes_on_for(2.0)
    assert job.asked == 1
    assert job.supervision.remarks()[0] == "ended: too few servers are left for a quorum"


def test_what_workers_say_of_their_end_loses_no_quorum(job: Followed) -> None:
    job.end("failed", 6, 7, 8, 9, 10, 11, 12)
    assert job.goes_on_for(100.0)


def test_servers_that_finish_elsewhere_are_lost() -> None:
    done = [Done(rank, f"server-0{rank}", "finished", 19, "") for rank in (0, 1)]
    assert is_lost(done, CONFIG.nodes, 20)
    assert not is_lost(done, CONFIG.nodes, 19)
    assert not is_lost(done[:1], CONFIG.nodes, 20)


def leaves(job: Followed, *saving: int) -> None:
    """Have a job told to leave, after which these ranks save."""
    for rank in range(6):
        write_state(job.run_dir, said(rank, 7))
    job.supervision.leave(lambda: None)
    assert job.goes_on_for(LEAVE_S / 2)
    for rank in saving:
        write_state(job.run_dir, replace(said(rank, 7), doing=SAVES))


def test_a_job_that_does_not_leave_when_it_is_told_to_is_ended(job: Followed) -> None:
    # As one of them may lie, four that save are not all that a quorum waits for.
    leaves(job, 0, 1, 2, 3)
    assert job.goes_on_for(LEAVE_S / 2 - 1.0)
    assert not job.goes_on_for(1.0 + LAST_WORDS_S + 1.0)
    assert job.supervision.remarks()[0] == "ended: told to leave, and still there after 60 s"


def test_slow_disks_have_their_time_to_save_before_a_job_leaves(tmp_path: Path) -> None:
    job = Followed(tmp_path, configured(3 * LEAVE_S))
    leaves(job, 2, 3, 4)
    job.end("left", 0, step=7)
    job.end("finished", 1)
    assert job.goes_on_for(2 * LEAVE_S)
    job.end("left", 1, step=7)
    job.end("left", 2, 3, 4, step=7)
    assert job.goes_on_for(GRACE_S - 1.0)
    assert not job.goes_on_for(2.0)
    assert job.supervision.remarks() == ()


def test_a_disk_that_hangs_keeps_no_job_for_ever(tmp_path: Path) -> None:
    job = Followed(tmp_path, configured(2 * LEAVE_S))
    leaves(job, 0, 1, 2, 3, 4)
    assert job.goes_on_for(2.5 * LEAVE_S - 1.0)
    assert not job.goes_on_for(2.0 + LAST_WORDS_S + 1.0)
    assert job.supervision.remarks()[0].startswith(
        "ended: told to leave, and still there after 18"
    )


def test_servers_that_stand_still_are_asked_and_ended(job: Followed) -> None:
    for rank in range(6):
        write_state(job.run_dir, said(rank, 7))
    assert job.goes_on_for(PATIENCE * CONFIG.run.stall_timeout_s - 1.0)
    assert job.asked == 0
    assert not job.goes_on_for(1.0 + LAST_WORDS_S + 2.0)
    assert job.asked == 1


def test_those_who_go_on_are_told_by_what_they_do(job: Followed) -> None:
    for rank in range(13):
        write_state(job.run_dir, said(rank, 7))
    stack_path(job.run_dir, 3).write_text("old")
    job.end("failed", 0, 1, 2, step=7)
    assert job.goes_on_for(1.0)
    assert job.asked == 1
    write_state(job.run_dir, replace(said(4, 7), answers=1))
    stack_path(job.run_dir, 3).write_text("old and new")
    assert job.supervision.remarks() == (
        "ended: too few servers are left for a quorum",
        "server-03 hangs or computes: see state/rank-003.stack",
        "server-04 waits at step 7",
        "no sign of life: server-05, worker-00, -01, -02, -03, -04, -05, observer-00",
    )


@pytest.mark.parametrize(
    ("finished", "status", "begun", "told"),
    [
        (True, 0, True, 0),
        (True, 137, True, 0),
        (True, 2, True, 0),
        (False, 0, True, 1),
        (False, 0, False, 1),
        (False, 9, True, 1),
        (False, -9, True, 1),
        (False, 2, False, 2),
        (False, 2, True, 1),
    ],
)
def test_the_exit_status_is_what_the_servers_say_and_not_the_launcher(
    finished: bool, status: int, begun: bool, told: int
) -> None:
    assert Verdict(finished, (), status, begun).exit_status == told


@pytest.mark.parametrize(("alive", "said_by_it"), [(True, "started\n"), (False, "")])
def test_a_launcher_whose_parent_has_gone_already_is_not_started(
    alive: bool, said_by_it: str
) -> None:
    parent = os.getpid() if alive else 1
    argv = [sys.executable, "-m", "guanyu_mpi.processes", str(parent), "/bin/echo", "started"]
    finished = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert finished.stdout == said_by_it
