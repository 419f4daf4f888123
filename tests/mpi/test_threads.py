"""Ranks that nobody has told how many threads to start share the cores of their node."""

import os
import subprocess
from pathlib import Path

import pytest
from job_harness import LOCKSTEP, write_config

from guanyu_mpi.cores import threads
from guanyu_mpi.launch import find_launcher, launcher_environment, rank_command
from guanyu_mpi.run_dir import config_path

pytestmark = [pytest.mark.mpi, pytest.mark.usefixtures("sessions")]


def test_ranks_started_by_hand_share_the_cores_of_their_node(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    write_config(tmp_path, LOCKSTEP, 10).rename(config_path(run_dir))
    launcher, _ = find_launcher()
    environment = dict(launcher_environment())
    del environment["OMP_NUM_THREADS"]
    flags = ["--oversubscribe", "--bind-to", "none", "-n", "7"]
    finished = subprocess.run(
        [str(launcher), *flags, *rank_command(run_dir)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert finished.returncode == 0, finished.stderr
    share = threads(0, [frozenset(os.sched_getaffinity(0))] * 7)
    assert f"threads per rank: {share} (OMP_NUM_THREADS)" in finished.stdout
