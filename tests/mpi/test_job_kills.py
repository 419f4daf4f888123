"""Ranks and whole jobs that are killed: the others go on, and the same command continues."""

import random
import signal
from pathlib import Path

import psutil
import pytest
from job_harness import LOCKSTEP, QUADRATIC, Job, guanyu, write_config

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.metrics import Event

pytestmark = pytest.mark.mpi

LAST_STEP = 200
# In lockstep and without attackers a step takes a few milliseconds.
LAST_LOCKSTEP = 3000
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


def starts(job: Job) -> list[Event]:
    return [event for event in job.events(Node(Role.SERVER, 0)) if event["event"] == "started"]


def test_a_killed_job_continues_and_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    config = write_config(tmp_path, LOCKSTEP, LAST_LOCKSTEP)
    unbroken = Job(config, tmp_path / "unbroken")
    assert unbroken.wait()[0] == 0
    broken = Job(config, tmp_path / "broken")
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for life in range(3):
        target = rng.randrange(200, 700) * (life + 1)
        # The last life may have been beyond the target already: this one must have begun.
        broken.until(
            lambda life=life, target=target: (
                len(starts(broken)) == life + 1
                and broken.last_step(Node(Role.SERVER, 0)) >= target
            )
        )
        assert broken.process.poll() is None, f"nothing was killed (seed {seed})"
        broken.kill_all()
        assert not broken.done()
        broken.start()
    status, output = broken.wait()
    assert status == 0, f"{output} (seed {seed})"
    assert len(starts(broken)) == 4
    for server in range(3):
        end, same_end = (
            read(path_of(job.run_dir / "checkpoints", server, LAST_LOCKSTEP)).params
            for job in (unbroken, broken)
        )
        assert end.tobytes() == same_end.tobytes(), f"seed {seed}"
    shown = guanyu("inspect", str(broken.run_dir))
    assert shown.returncode == 0
    assert f"\n1       {LAST_LOCKSTEP}, " in shown.stdout


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
