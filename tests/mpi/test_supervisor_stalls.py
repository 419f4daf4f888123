"""Jobs that stall are ended and say why; jobs that are slow, stopped or asked go on."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from job_harness import LOCKSTEP, QUADRATIC, WAIT_S, Job, guanyu, write_config
from supervised_jobs import (
    assert_nobody_is_left,
    configured,
    done_deeds,
    misbehaving,
    mpirun_of,
    ranks_of,
    supervise,
)

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import load_config
from guanyu_mpi.done import read_done
from guanyu_mpi.launch import command, find_launcher, launcher_environment
from guanyu_mpi.run_dir import prepare_run_dir
from guanyu_mpi.state import read_states, stack_path

pytestmark = [pytest.mark.mpi, pytest.mark.slow, pytest.mark.usefixtures("sessions")]

FOR_EVER = 10**6
TIMEOUT_S = 8.0
STALLING = f"run.stall_timeout_s={TIMEOUT_S}"
# From the timeout to the end: last words, and the end of mpirun and its ranks.
AFTERMATH_S = 20.0
SERVERS = [Node(Role.SERVER, index) for index in range(6)]
WORKERS = [Node(Role.WORKER, index) for index in range(6)]


def strike(job: Job, nodes: list[Node], how: str) -> None:
    for node in nodes:
        if how == "kill":
            job.kill(node)
        else:
            psutil.Process(job.pid(node)).suspend()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_more_than_f_servers_that_fall_silent_end_the_job_which_can_be_continued(
    tmp_path: Path, how: str
) -> None:
    config = write_config(tmp_path, QUADRATIC, FOR_EVER)
    job = Job(config, tmp_path / "run", STALLING)
    job.until(lambda: min(job.last_step(server) for server in SERVERS) >= 20)
    family = job.family()
    strike(job, [SERVERS[2], SERVERS[4]], how)
    struck_s = time.monotonic()
    status, output = job.wait()
    assert status == 1, output
    assert TIMEOUT_S - 1.0 <= time.monotonic() - struck_s <= TIMEOUT_S + AFTERMATH_S
    assert_nobody_is_left(family)
    assert "no progress for 8 s: waits for Params" in output
    assert "(4 of 5); missing server-02, -04" in output
    assert "no sign of life: server-02, -04" in output
    if how == "kill":
        assert "said nothing at the end: server-02, server-04" in output
    # One that was stopped may say how it ended once mpirun continues it, in order to end it.
    said = {record.node: record for record in read_done(job.run_dir, load_config(config).nodes)}
    assert not any(said[node].finished for node in ("server-02", "server-04") if node in said)
    shown = guanyu("inspect", str(job.run_dir)).stdout
    begins = int(shown.partition("a restart begins at step ")[2].split(":")[0])
    assert begins >= 10
    again = Job(config, tmp_path / "run", f"run.steps={begins + 20}")
    status, output = again.wait()
    assert status == 0, output


def test_more_than_f_workers_that_fall_silent_end_the_job(tmp_path: Path) -> None:
    job = Job(write_config(tmp_path, QUADRATIC, FOR_EVER), tmp_path / "run", STALLING)
    job.until(lambda: min(job.last_step(server) for server in SERVERS) >= 20)
    strike(job, [WORKERS[1], WORKERS[4]], "kill")
    status, output = job.wait()
    assert status == 1, output
    assert "waits for Gradient" in output
    assert "(4 of 5); missing worker-01, -04" in output
    assert "the same command continues" in output


def test_ranks_started_by_hand_end_themselves_and_say_why(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, QUADRATIC, FOR_EVER), [STALLING])
    run_dir = tmp_path / "run"
    prepare_run_dir(run_dir, config, fresh=False)
    argv = command(*find_launcher(), config.nodes.num_ranks, run_dir)
    environment = {**os.environ, **launcher_environment()}
    with (tmp_path / "log").open("wb") as log:
        launcher = subprocess.Popen(argv, stdout=log, stderr=log, env=environment)
    # Within a job for what it can look into.
    job = Job.__new__(Job)
    job.process, job.run_dir, job._config = launcher, run_dir, run_dir / "config.toml"  # type: ignore[assignment]
    try:
        job.until(lambda: min(job.last_step(server) for server in SERVERS) >= 20)
        strike(job, [SERVERS[2], SERVERS[4]], "kill")
        # By themselves: nobody else ends them.
        assert launcher.wait(WAIT_S) != 0
    finally:
        for process in [*psutil.Process().children(recursive=True)]:
            process.kill()
    ended = {record.node: record for record in read_done(run_dir, config.nodes)}
    assert set(ended) == {str(node) for node in config.nodes} - {"server-02", "server-04"}
    assert all(record.outcome == "failed" for record in ended.values())
    assert any("missing server-02, -04" in record.reason for record in ended.values())


def test_a_job_in_which_everyone_hangs_is_ended(tmp_path: Path) -> None:
    """No rank can end itself, and mpirun would wait for ever."""
    job = Job(write_config(tmp_path, LOCKSTEP, FOR_EVER), tmp_path / "run", STALLING)
    job.until(lambda: job.last_step(SERVERS[0]) >= 20)
    family = job.family()
    ranks = ranks_of(job)
    assert len(ranks) == 7
    for rank in ranks:
        rank.suspend()
    status, output = job.wait()
    assert status == 1
    assert "ended: no progress for" in output
    assert "no sign of life: server-00, -01, -02, worker-00, -01, -02, observer-00" in output
    assert_nobody_is_left(family)


def test_a_rank_that_hangs_in_a_stalled_job_is_told_by_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is Byzantine, and everyone waits for one."""
    misbehaving(monkeypatch, {"worker-01": "loop"}, 20)
    config = configured(tmp_path, FOR_EVER, STALLING, text=LOCKSTEP)
    verdict, family = supervise(config, tmp_path / "run")
    assert done_deeds(tmp_path / "run") == {"worker-01"}
    assert verdict.exit_status == 1
    assert "worker-01 hangs or computes: see state/rank-004.stack" in verdict.remarks
    assert "in loop" in stack_path(tmp_path / "run", 4).read_text()
    reasons = {record.reason for record in verdict.done if record.node.startswith("server")}
    assert len(verdict.done) == 6
    assert all("(2 of 3); missing worker-01" in reason for reason in reasons)
    assert_nobody_is_left(family)


def test_a_job_that_is_slow_to_start_and_to_compute_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    misbehaving(monkeypatch, {"rank-1": "start-slowly", "workers": "compute-slowly"})
    config = configured(tmp_path, 8, "run.stall_timeout_s=5", text=LOCKSTEP)
    began_s = time.monotonic()
    verdict, _ = supervise(config, tmp_path / "run")
    assert done_deeds(tmp_path / "run") == {"rank-1", "worker-00", "worker-01", "worker-02"}
    # As long as the timeout to start, and longer to compute.
    assert time.monotonic() - began_s > 6.0 + 8 * 0.8
    assert verdict.exit_status == 0, verdict.remarks


def test_a_job_that_is_stopped_and_resumed_goes_on(tmp_path: Path) -> None:
    last = 300
    job = Job(write_config(tmp_path, LOCKSTEP, last), tmp_path / "run", "run.stall_timeout_s=5")
    job.until(lambda: job.last_step(SERVERS[0]) >= 20)
    family = job.family()
    for process in family:
        process.suspend()
    assert job.last_step(SERVERS[0]) < last
    time.sleep(9.0)
    for process in reversed(family):
        process.resume()
    status, output = job.wait()
    assert status == 0, output


def test_asking_a_healthy_run_changes_nothing(tmp_path: Path) -> None:
    last = 300
    config = write_config(tmp_path, LOCKSTEP.replace("every = 10\n\n", "every = 100\n\n"), last)
    alone = Job(config, tmp_path / "alone")
    assert alone.wait()[0] == 0
    asked = Job(config, tmp_path / "asked")
    asked.until(lambda: asked.last_step(SERVERS[0]) >= 20)
    cluster = load_config(config).nodes
    for times in range(1, 4):
        mpirun_of(asked).send_signal(signal.SIGUSR2)
        asked.until(
            lambda times=times: (
                [state.answers for state in read_states(asked.run_dir, cluster)] == [times] * 7
            )
        )
    assert all("in run_rank" in stack_path(asked.run_dir, rank).read_text() for rank in range(7))
    status, output = asked.wait()
    assert status == 0, output
    assert [state.doing for state in read_states(asked.run_dir, cluster)] == ["finished"] * 7
    for server in range(3):
        end, same_end = (
            read(path_of(job.run_dir / "checkpoints", server, last)).params
            for job in (alone, asked)
        )
        assert end.tobytes() == same_end.tobytes()
