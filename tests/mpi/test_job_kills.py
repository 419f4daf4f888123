"""Ranks and jobs that are killed or interrupted: the others go on, and nothing stays behind."""

import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from job_harness import LOCKSTEP, QUADRATIC, Job, write_config

from guanyu_mpi.cluster import Node, Role

pytestmark = pytest.mark.mpi

LAST_STEP = 200
# In lockstep and without attackers a step takes a few milliseconds.
LAST_LOCKSTEP = 600
# The quadratic starts at a loss of some tens, and ends below one of noise.
LOSS_AT_REST = 1.5


@pytest.mark.parametrize("victim", [Node(Role.SERVER, 2), Node(Role.WORKER, 4)], ids=str)
def test_a_killed_rank_does_not_stop_the_others(tmp_path: Path, victim: Node) -> None:
    job = Job(write_config(tmp_path, QUADRATIC, LAST_STEP), tmp_path / "run")
    job.until(lambda: job.last_step(Node(Role.SERVER, 0)) >= 20)
    job.kill(victim)
    status, output = job.wait()
    assert status == 0, output
    done = job.done()
    assert str(victim) not in done
    assert len(done) == 12
    assert all(record.finished and record.step == LAST_STEP for record in done.values())
    final = job.observed()[-1]
    assert final["step"] == LAST_STEP
    assert isinstance(final["loss"], float)
    assert final["loss"] < LOSS_AT_REST
    assert f"said nothing at the end: {victim}" in output


def test_interrupting_leaves_no_process_and_a_run_that_continues(tmp_path: Path) -> None:
    job = Job(write_config(tmp_path, LOCKSTEP, LAST_LOCKSTEP), tmp_path / "run")
    job.until(lambda: job.last_step(Node(Role.SERVER, 0)) >= 20)
    family = job.family()
    assert len(family) >= 8
    job.process.send_signal(signal.SIGINT)
    status, output = job.wait()
    assert status == 130
    assert "the same command continues" in output
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    job.start()
    status, output = job.wait()
    assert status == 0, output


def test_killing_the_launch_leaves_no_orphan(tmp_path: Path) -> None:
    job = Job(write_config(tmp_path, LOCKSTEP, LAST_LOCKSTEP), tmp_path / "run")
    job.until(lambda: job.last_step(Node(Role.SERVER, 0)) >= 20)
    family = job.family()
    job.process.kill()
    job.process.communicate()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive


def test_what_a_killed_launcher_leaves_is_in_no_other_ones_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open MPI calls its directory by a pid, fails on one that is there, and pids repeat."""
    with TemporaryDirectory(prefix="t-") as short:
        monkeypatch.setenv("TMPDIR", short)
        job = Job(write_config(tmp_path, LOCKSTEP, LAST_LOCKSTEP), tmp_path / "run")
        job.until(lambda: job.last_step(Node(Role.SERVER, 0)) >= 20)
        job.kill_all()
        left = [place.relative_to(short) for place in Path(short).rglob("ompi.*")]
    assert left
    assert all(str(place).startswith("guanyu-") for place in left), left
