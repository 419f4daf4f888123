"""Ranks and launchers that end badly: the servers' word decides, and nobody is left."""

import signal
from pathlib import Path

import psutil
import pytest
from job_harness import LOCKSTEP, QUADRATIC, Job, write_config
from supervised_jobs import (
    assert_nobody_is_left,
    configured,
    done_deeds,
    misbehaving,
    mpirun_of,
    supervise,
)

from guanyu_mpi import launch as launching
from guanyu_mpi import supervision
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.transport.library import Family, Library

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

STEPS = 60
FOR_EVER = 10**6


@pytest.mark.parametrize(
    ("deeds", "status"),
    [
        ({"server-05": "abort-world", "worker-05": "abort-self"}, 9),
        (dict.fromkeys(("server-05", "worker-05"), "exit-as-if-input-were-wrong"), 2),
    ],
    ids=["abort", "exit"],
)
def test_a_run_outlives_ranks_that_leave_and_its_status_is_not_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deeds: dict[str, str], status: int
) -> None:
    misbehaving(monkeypatch, deeds, 20)
    verdict, family = supervise(configured(tmp_path, STEPS), tmp_path / "run")
    assert done_deeds(tmp_path / "run") == set(deeds)
    # Their death is not reported to their peers, and mpirun returns what they left with.
    assert verdict.launcher_status == status
    assert verdict.finished
    assert verdict.exit_status == 0
    assert len(verdict.done) == 11
    assert not {record.node for record in verdict.done} & set(deeds)
    assert len(family) >= 14
    assert_nobody_is_left(family)


def test_ranks_that_hang_are_ended_once_the_others_have_had_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "GRACE_S", 12.0)
    deeds = {"server-05": "loop", "worker-05": "stop"}
    misbehaving(monkeypatch, deeds, 20)
    verdict, family = supervise(configured(tmp_path, STEPS), tmp_path / "run")
    assert done_deeds(tmp_path / "run") == set(deeds)
    # It waited for them, and did not end by itself.
    assert verdict.launcher_status != 0
    assert verdict.finished
    assert verdict.exit_status == 0
    # mpirun lets a stopped rank run on before it ends it, which may be enough to see the end.
    done = {record.node for record in verdict.done}
    assert len(done - {"worker-05"}) == 11
    assert "server-05" not in done
    assert_nobody_is_left(family)


@pytest.mark.parametrize("status", [0, 7])
def test_a_launcher_that_has_done_nothing_has_not_finished_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    script = tmp_path / "mpirun"
    script.write_text(f"#!/bin/sh\nexit {status}\n")
    script.chmod(0o755)
    library = Library(Family.OPEN_MPI, "5.0.0")
    monkeypatch.setattr(launching, "find_launcher", lambda: (script, library))
    verdict, _ = supervise(configured(tmp_path, STEPS), tmp_path / "run")
    assert verdict.launcher_status == status
    assert not verdict.finished
    assert verdict.exit_status == 1


@pytest.mark.parametrize("dead", ["launch", "mpirun"])
def test_a_job_whose_launcher_is_killed_leaves_no_rank_even_one_that_hangs(
    tmp_path: Path, dead: str
) -> None:
    job = Job(write_config(tmp_path, QUADRATIC, FOR_EVER), tmp_path / "run")
    job.until(lambda: job.last_step(Node(Role.SERVER, 0)) >= 5)
    family = job.family()
    # The launch, mpirun, the ranks' nursery, and every rank with its stand-in.
    assert len(family) == 3 + 2 * 13
    psutil.Process(job.pid(Node(Role.WORKER, 5))).suspend()
    victim = psutil.Process(job.process.pid) if dead == "launch" else mpirun_of(job)
    victim.send_signal(signal.SIGKILL)
    status, output = job.wait()
    assert_nobody_is_left(family)
    if dead == "mpirun":
        assert status == 1
        assert "not finished (launcher status -9)" in output


def test_a_rank_that_never_starts_keeps_nobody_waiting_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehaving(monkeypatch, {"rank-1": "exit-early"})
    config = configured(tmp_path, STEPS, "run.start_timeout_s=20", text=LOCKSTEP)
    verdict, family = supervise(config, tmp_path / "run")
    assert done_deeds(tmp_path / "run") == {"rank-1"}
    assert not verdict.finished
    assert verdict.exit_status == 1
    assert_nobody_is_left(family)
    log = (tmp_path / "run" / "logs" / "mpirun.log").read_text()
    assert "Timeout (0:00:20)!" in log
    assert "in _initialise" in log
