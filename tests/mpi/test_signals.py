"""Jobs that are told to leave, or have to: they save, and the same command continues."""

import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from job_harness import LOCKSTEP, QUADRATIC, WAIT_S, Job, write_config
from supervised_jobs import assert_nobody_is_left

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import load_config
from guanyu_mpi.done import left_at
from guanyu_mpi.launch import command, find_launcher, launcher_environment
from guanyu_mpi.run_dir import prepare_run_dir

pytestmark = [pytest.mark.mpi, pytest.mark.usefixtures("sessions")]

LAST_STEP = 300
FOR_EVER = 10**6
# Of a whole run, on a machine that is busy.
BUSY_S = 300.0
SERVERS = range(3)
FIRST = Node(Role.SERVER, 0)
# What `guanyu launch` is told in each life, twice, and what it returns.
LIVES = ((signal.SIGUSR1, 85), (signal.SIGTERM, 85), (signal.SIGINT, 130))


def params(job: Job, server: int, step: int) -> bytes:
    return read(path_of(job.run_dir / "checkpoints", server, step)).params.tobytes()


def saved_step(job: Job, output: str) -> int:
    """Where a job has left by its own word, and by what is on the disk."""
    step = left_at([*job.done().values()], load_config(job.run_dir / "config.toml").nodes)
    assert step is not None, output
    assert f"left: saved at step {step} by 3 of 3 servers; the same command continues" in output
    assert len({params(job, server, step) for server in SERVERS}) == 1
    return step


def test_a_run_that_is_told_to_leave_again_and_again_ends_as_if_it_never_were(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, LOCKSTEP, LAST_STEP)
    unbroken = Job(config, tmp_path / "unbroken")
    assert unbroken.wait(BUSY_S)[0] == 0
    broken = Job(config, tmp_path / "broken")
    reached = 0
    for signum, expected in LIVES:
        broken.until(lambda at=reached: broken.last_step(FIRST) >= at + 20)
        family = broken.family()
        broken.process.send_signal(signum)
        broken.process.send_signal(signum)
        status, output = broken.wait()
        assert status == expected, output
        assert_nobody_is_left(family)
        before, reached = reached, saved_step(broken, output)
        assert before + 20 <= reached < LAST_STEP
        assert len(broken.done()) == 7
        broken.start()
    status, output = broken.wait(BUSY_S)
    assert status == 0, output
    for server in SERVERS:
        assert params(broken, server, LAST_STEP) == params(unbroken, server, LAST_STEP)


def test_a_single_rank_that_is_told_leaves_alone(tmp_path: Path) -> None:
    job = Job(write_config(tmp_path, QUADRATIC, 200), tmp_path / "run")
    job.until(lambda: job.last_step(FIRST) >= 20)
    victim = Node(Role.WORKER, 4)
    psutil.Process(job.pid(victim)).send_signal(signal.SIGUSR1)
    status, output = job.wait()
    assert status == 0, output
    done = job.done()
    assert (done[str(victim)].outcome, done[str(victim)].reason) == ("left", "told to by SIGUSR1")
    assert f"  {victim}: left at step " in output
    assert sum(record.finished and record.step == 200 for record in done.values()) == 12


def test_where_nobody_lies_all_leave_with_one_that_is_told_and_mpirun_says_so(
    tmp_path: Path,
) -> None:
    run_dir = tmp_path / "run"
    config = load_config(write_config(tmp_path, LOCKSTEP, FOR_EVER))
    prepare_run_dir(run_dir, config, fresh=False)
    argv = command(*find_launcher(), config.nodes.num_ranks, run_dir)
    job = Job.__new__(Job)
    job.run_dir, job._config = run_dir, tmp_path / "config-under-test.toml"
    job.process = subprocess.Popen(argv, env=launcher_environment(), text=True)
    try:
        job.until(lambda: job.last_step(FIRST) >= 20)
        psutil.Process(job.pid(Node(Role.WORKER, 1))).send_signal(signal.SIGINT)
        assert job.process.wait(WAIT_S) == 85
    finally:
        job.process.terminate()
        job.process.wait(WAIT_S)
    done = job.done()
    assert done["worker-01"].reason == "told to by SIGINT"
    assert {done[f"server-0{server}"].reason for server in SERVERS} == {"the others leave"}
    assert left_at([*done.values()], config.nodes) is not None


def test_a_job_leaves_before_its_time_is_up(tmp_path: Path) -> None:
    config = write_config(tmp_path, LOCKSTEP, FOR_EVER)
    job = Job(config, tmp_path / "run", "run.wall_time_s=8")
    status, output = job.wait()
    assert status == 85, output
    # On a machine that is busy half of this time may be over before the first step.
    assert left_at([*job.done().values()], load_config(config).nodes) is not None
    assert "its time is up" in {record.reason for record in job.done().values()}


def test_a_job_that_is_told_while_it_starts_leaves_at_once(tmp_path: Path) -> None:
    config = write_config(tmp_path, LOCKSTEP, FOR_EVER)
    job = Job(config, tmp_path / "run")
    job.until(lambda: len(job.family()) > 1)
    family = job.family()
    job.process.send_signal(signal.SIGUSR1)
    status, output = job.wait()
    assert status == 85, output
    # Some ranks may begin in the moment in which they are ended, and even save.
    assert "left before the first step" in output or "left: saved at step" in output
    assert_nobody_is_left(family)
