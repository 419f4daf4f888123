"""`guanyu simulate`: a whole run in one process, the same every time."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import guanyu, trace_hash, write_config

from guanyu_mpi.checkpoint import scan
from guanyu_mpi.config import load_config
from guanyu_mpi.metrics import read_events


def test_it_trains_to_the_last_step(tmp_path: Path) -> None:
    result = guanyu("simulate", write_config(tmp_path))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("last observed: step 12, loss ")


def test_the_same_config_gives_the_same_trace(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    assert trace_hash(guanyu("simulate", path)) == trace_hash(guanyu("simulate", path))


def test_another_seed_gives_another_trace(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    other = guanyu("simulate", path, "--set", "run.seed=4")
    assert trace_hash(guanyu("simulate", path)) != trace_hash(other)


def test_a_run_directory_does_not_change_the_trace(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    written = guanyu("simulate", path, "--run-dir", tmp_path / "run")
    assert trace_hash(written) == trace_hash(guanyu("simulate", path))


def test_it_needs_no_torch(tmp_path: Path) -> None:
    """Nor MPI: where neither can be loaded, this still works."""
    program = (
        "import sys; sys.modules.update(torch=None, mpi4py=None);"
        "from guanyu_mpi.cli import main; main()"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, "simulate", str(write_config(tmp_path))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stderr == ""
    assert finished.returncode == 0


def test_without_a_run_directory_it_writes_nothing(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    guanyu("simulate", path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_directory_holds_config_metrics_and_checkpoints(tmp_path: Path) -> None:
    path, run_dir = write_config(tmp_path), tmp_path / "runs" / "new"
    guanyu("simulate", path, "--run-dir", run_dir, "--set", "run.seed=9")
    assert load_config(run_dir / "config.toml") == load_config(path, ["run.seed=9"])
    observed = read_events(run_dir / "metrics" / "observer.jsonl")
    assert [event["step"] for event in observed] == [0, 4, 8, 12]
    assert observed[-1]["loss"] < observed[0]["loss"]
    assert {name.name for name in (run_dir / "metrics").iterdir()} == {
        "observer.jsonl",
        *(f"rank-{rank:03d}.jsonl" for rank in range(12)),
    }
    assert scan(run_dir / "checkpoints") == dict.fromkeys(range(6), (12, 10, 5))


def test_it_continues_from_its_checkpoints(tmp_path: Path) -> None:
    """As if it had never been interrupted: everybody waits for everybody, so runs are equal."""
    lockstep = {"cluster": {"byzantine_servers": 0, "byzantine_workers": 0}}
    path = write_config(tmp_path, lockstep)
    for steps in (7, 12):
        result = guanyu(
            *("simulate", path, "--run-dir", tmp_path / "halves", "--set", f"run.steps={steps}")
        )
        assert result.exit_code == 0
    guanyu("simulate", path, "--run-dir", tmp_path / "whole")
    rank = read_events(tmp_path / "halves" / "metrics" / "rank-006.jsonl")
    assert [event["step"] for event in rank if event["event"] == "halted"] == [7, 12]
    ends = [
        read_events(tmp_path / life / "metrics" / "observer.jsonl")[-1]["loss"]
        for life in ("halves", "whole")
    ]
    assert ends[0] == ends[1]


def test_a_finished_run_is_finished_again(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    for _ in range(2):
        result = guanyu("simulate", path, "--run-dir", tmp_path / "run")
        assert result.exit_code == 0
        assert result.stdout.startswith("last observed: step 12, loss ")


def test_an_attack_within_the_bounds_does_not_keep_it_from_the_end(tmp_path: Path) -> None:
    attack = {
        "workers": {"name": "reverse", "count": 1},
        "servers": {"name": "equivocate", "count": 1},
    }
    result = guanyu("simulate", write_config(tmp_path, {"attack": attack}))
    assert result.exit_code == 0
    assert result.stderr == ""


def test_too_many_mute_workers_are_told_and_the_status_is_1(tmp_path: Path) -> None:
    attack = {"workers": {"name": "mute", "count": 2}}
    result = guanyu("simulate", write_config(tmp_path, {"attack": attack}))
    assert result.exit_code == 1
    assert result.stderr.startswith("warning: attackers among the workers: 2")
    left = [line for line in result.stdout.splitlines() if line.endswith(": left behind")]
    assert left[:2] == ["observer-00: left behind", "server-00: left behind"]
    assert len(left) == 1 + 6 + 4


@pytest.mark.parametrize("written", [False, True])
def test_a_run_that_diverges_says_so(tmp_path: Path, written: bool) -> None:
    path = write_config(tmp_path, {"train": {"learning_rate": 1e30}})
    result = guanyu("simulate", path, *(["--run-dir", tmp_path / "run"] if written else []))
    assert result.exit_code == 1, result.stderr
    assert "server-00: diverged at step " in result.stdout
    assert "is not finite" in result.stdout
