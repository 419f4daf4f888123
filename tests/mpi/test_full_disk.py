"""A run whose disk is full trains on, and does not claim to be saved."""

import os
import subprocess
from pathlib import Path

import pytest
from job_harness import GUANYU, LOCKSTEP, write_config

from guanyu_mpi.checkpoint import path_of
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.done import read_done
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import read_events

pytestmark = pytest.mark.mpi

# Mounts are seen by the processes in here alone, and end with them.
UNSHARED = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
CLUSTER = Cluster(3, 0, 3, 3, 0, 3)
STEPS = 50

# Two of three files of the first checkpoint fit. The same command again, where there is room.
TWICE = """
mount -t tmpfs -o size=512k none "$PLACE"
"$@" 2>&1
echo "status $?"
mount -o remount,size=64m "$PLACE"
"$@" 2>&1
echo "status $?"
ls "$PLACE"/server-00
"""


# All of a run's directory: what ranks say of themselves has no room either, nor how they end.
EVERYTHING = """
mount -t tmpfs -o size=1m none "$PLACE"
"$@" 2>&1
echo "status $?"
mount -o remount,size=64m "$PLACE"
cat "$PLACE/logs/mpirun.log"
"$@" 2>&1
echo "status $?"
grep -c '"step": 50, ' "$PLACE"/metrics/rank-000.jsonl
"""


def can_mount(place: Path) -> bool:
    argv = [*UNSHARED, "mount", "-t", "tmpfs", "none", str(place)]
    try:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def run_in(place: Path, script: str, launch: list[str]) -> str:
    """What a script says that mounts a small file system on a place and launches a job twice."""
    return subprocess.run(
        [*UNSHARED, "sh", "-c", script, "sh", *launch],
        env={**os.environ, "PLACE": str(place)},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    ).stdout


def events(run_dir: Path, server: int, kind: str) -> list[int]:
    """Steps of a server's events of a kind, in both lives."""
    log = rank_log(run_dir, CLUSTER.rank(Node(Role.SERVER, server)))
    return [int(str(event["step"])) for event in read_events(log) if event["event"] == kind]


def test_a_full_disk_costs_the_result_and_not_the_training(tmp_path: Path) -> None:
    config = write_config(tmp_path, LOCKSTEP, STEPS)
    run_dir = tmp_path / "run"
    checkpoints = run_dir / "checkpoints"
    checkpoints.mkdir(parents=True)
    if not can_mount(checkpoints):
        pytest.skip("this user may not mount a small file system")
    launch = [*GUANYU, "launch", str(config), "--run-dir", str(run_dir)]
    launch += ["--set", "model.options.dimension=50000"]
    output = run_in(checkpoints, TWICE, launch)
    full, _, again = output.partition("status 1\n")
    assert "No space left on device" in full, output
    assert f"step {STEPS} is not saved, " in full
    assert "not finished" in full
    assert "the same command continues" in full
    for server in range(3):
        # It trained to the end, and told of the full disk once and no more while it was full.
        assert events(run_dir, server, "commit").count(STEPS) >= 1
        assert len(events(run_dir, server, "not-saved")) <= 1 + len(
            events(run_dir, server, "saved")
        )
    assert sum(len(events(run_dir, server, "not-saved")) for server in range(3)) >= 1
    assert "finished: 3 of 3 servers" in again, output
    assert "status 0\n" in again
    assert path_of(checkpoints, 0, STEPS).name in again
    assert all(record.finished for record in read_done(run_dir, CLUSTER))


def test_a_full_disk_under_everything_ends_no_training(tmp_path: Path) -> None:
    config = write_config(tmp_path, LOCKSTEP, STEPS)
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    if not can_mount(run_dir):
        pytest.skip("this user may not mount a small file system")
    launch = [*GUANYU, "launch", str(config), "--run-dir", str(run_dir)]
    launch += ["--set", "model.options.dimension=50000", "--set", "observe.every=1"]
    output = run_in(run_dir, EVERYTHING, launch)
    full, _, again = output.partition("status 1\n")
    assert "not finished" in full, output
    said, _, again = again.partition("finished: 3 of 3 servers")
    assert "metrics/rank-000.jsonl cannot be written: " in said
    # To the end, which is then all that cannot be told.
    assert f"at step {STEPS}: " in said
    assert "Traceback" not in said
    assert "status 0\n" in again
