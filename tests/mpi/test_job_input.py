"""Jobs that cannot start say why, once, with status 2, and change nothing."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from job_harness import LOCKSTEP, QUADRATIC, Job, guanyu, write_config

from guanyu_mpi.checkpoint import path_of
from guanyu_mpi.launch import find_launcher, launcher_environment
from guanyu_mpi.run_dir import config_path

pytestmark = [pytest.mark.mpi, pytest.mark.usefixtures("sessions")]

NOT_ON_EVERY_NODE = """
import os
if os.environ.get("OMPI_COMM_WORLD_RANK") == "4":
    raise ImportError("there is no such disk here")
def digits():
    raise NotImplementedError
"""


def mpirun(ranks: int, config: Path, run_dir: Path) -> "subprocess.CompletedProcess[str]":
    """Start so many ranks by hand, without `guanyu launch`."""
    launcher, _ = find_launcher()
    rank = [sys.executable, "-m", "guanyu_mpi", "run", str(config), "--run-dir", str(run_dir)]
    return subprocess.run(
        [str(launcher), "--oversubscribe", "-n", str(ranks), *rank],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **launcher_environment()},
    )


def test_a_wrong_number_of_ranks_is_refused_in_one_line(tmp_path: Path) -> None:
    config = write_config(tmp_path, QUADRATIC, 10)
    finished = mpirun(7, config, tmp_path / "run")
    assert finished.returncode == 2
    said = [line for line in finished.stderr.splitlines() if line.startswith("guanyu: ")]
    assert len(said) == 1
    assert "MPI started 7 ranks" in said[0]
    assert "need 13" in said[0]
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_rank_without_a_launcher_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path, QUADRATIC, 10)
    finished = guanyu("run", str(config), "--run-dir", str(tmp_path / "run"))
    assert finished.returncode == 2
    assert "MPI started 1 rank, and" in finished.stderr
    assert "launcher and MPI library do not belong together" in finished.stderr


def test_all_ranks_together_say_a_fault_of_the_config_once(tmp_path: Path) -> None:
    config = write_config(tmp_path, QUADRATIC.replace("servers = 6", "servers = 5"), 10)
    finished = mpirun(3, config, tmp_path / "run")
    assert finished.returncode == 2
    assert finished.stderr.count("cluster.servers = 5 cannot tolerate") == 1


def test_a_fault_of_one_machine_alone_is_said_by_its_rank_and_ends_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that are missing on one node, which `guanyu launch` cannot know."""
    (tmp_path / "somewhere.py").write_text(NOT_ON_EVERY_NODE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    text = LOCKSTEP.replace('"quadratic"', '"mlp"') + '[data]\nname = "somewhere:digits"\n'
    config = write_config(tmp_path, text, 20)
    status, output = Job(config, tmp_path / "run").wait()
    assert status == 2, output
    assert f"guanyu: rank 4 on {socket.gethostname()}: " in output
    assert "there is no such disk here" in output


def test_a_launch_with_a_faulty_config_starts_no_rank(tmp_path: Path) -> None:
    config = write_config(tmp_path, QUADRATIC, 10)
    finished = guanyu(
        "launch", str(config), "--run-dir", str(tmp_path / "run"), "--set", "cluster.workers=5"
    )
    assert finished.returncode == 2
    assert "needs at least 3f + 3 = 6" in finished.stderr
    assert not (tmp_path / "run").exists()


def test_checkpoints_of_another_run_are_refused_and_kept(tmp_path: Path) -> None:
    config = write_config(tmp_path, LOCKSTEP, 20)
    assert Job(config, tmp_path / "run").wait()[0] == 0
    checkpoint = path_of(tmp_path / "run" / "checkpoints", 0, 20)
    before = checkpoint.read_bytes()
    status, output = Job(config, tmp_path / "run", "run.seed=8").wait()
    assert status == 2
    assert "belongs to another run" in output
    assert checkpoint.read_bytes() == before


def test_fewer_steps_than_have_been_made_are_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path, LOCKSTEP, 20)
    run_dir = tmp_path / "run"
    assert Job(config, run_dir).wait()[0] == 0
    before = config_path(run_dir).read_bytes()
    status, output = Job(config, run_dir, "run.steps=10").wait()
    assert status == 2
    assert "run.steps = 10 is before step 20" in output
    # It is still the run that it was, for who inspects or continues it.
    assert config_path(run_dir).read_bytes() == before


@pytest.mark.slow
def test_a_gpu_that_is_not_there_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    text = LOCKSTEP.replace('"quadratic"', '"mlp"') + '[data]\nname = "mnist-small"\n'
    config = write_config(tmp_path, text, 20)
    status, output = Job(config, tmp_path / "run", "device.name=cuda").wait()
    assert status == 2, output
    assert "device.name = 'cuda': torch " in output
    assert "finds no CUDA device on" in output
    assert not list((tmp_path / "run" / "checkpoints").glob("*/*.h5"))


def test_a_finished_run_is_finished_again_at_once(tmp_path: Path) -> None:
    config = write_config(tmp_path, LOCKSTEP, 20)
    assert Job(config, tmp_path / "run").wait()[0] == 0
    again = Job(config, tmp_path / "run")
    status, output = again.wait()
    assert status == 0, output
    assert "finished: 3 of 3 servers at step 20" in output
