"""Run directories: reading them, and refusing what would harm them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import guanyu, write_config

from guanyu_mpi import launch
from guanyu_mpi.checkpoint import path_of
from guanyu_mpi.run_dir import locked


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A finished run."""
    path = tmp_path / "run"
    assert guanyu("simulate", write_config(tmp_path), "--run-dir", path).exit_code == 0
    return path


@pytest.fixture
def no_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a job was started")

    monkeypatch.setattr(launch, "launch", refuse)


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_inspect_lists_checkpoints_and_where_a_restart_begins(run_dir: Path) -> None:
    result = guanyu("inspect", run_dir)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:8] == [
        "server  valid      remarks",
        *(f"{server}       12, 10, 5" for server in range(6)),
        "a restart begins at step 12: step 12 is held by servers 0, 1, 2, 3, 4, 5: "
        "6 of 6, 5 needed",
    ]
    assert [line.split(",")[0] for line in lines[8:20]] == [
        *(f"rank {rank} (server-0{rank})" for rank in range(6)),
        *(f"rank {rank} (worker-0{rank - 6})" for rank in range(6, 12)),
    ]
    assert lines[20:] == ["suspected: nobody"]


def test_inspect_tells_which_checkpoints_are_damaged(run_dir: Path) -> None:
    root = run_dir / "checkpoints"
    for server, step in ((3, 10), (4, 10), (4, 5)):
        path_of(root, server, step).write_bytes(b"torn")
    shutil.rmtree(path_of(root, 0, 0).parent)
    lines = guanyu("inspect", run_dir).stdout.splitlines()
    assert [line.split(" (")[0] for line in lines[:11]] == [
        "server  valid      remarks",
        "0       none",
        "1       12, 10, 5",
        "2       12, 10, 5",
        "3       12, 5      step 10 Unable to synchronously open file",
        "4       12         step 10 Unable to synchronously open file",
        "                   step 5 Unable to synchronously open file",
        "5       12, 10, 5",
        "a restart begins at step 12: step 12 is held by servers 1, 2, 3, 4, 5: 5 of 6, 5 needed",
        "  with their own file: server 1, server 2, server 3, server 4, server 5",
        "  with the median of the holders': server 0",
    ]


def test_evaluate_tells_the_loss_where_a_restart_begins(run_dir: Path) -> None:
    at_the_end = guanyu("evaluate", run_dir)
    assert at_the_end.exit_code == 0
    assert at_the_end.stdout.startswith("step 12: loss ")
    for server in (1, 4):
        path_of(run_dir / "checkpoints", server, 12).unlink()
    before = guanyu("evaluate", run_dir).stdout
    assert before.startswith("step 10: loss ")
    losses = [float(said.split()[-1]) for said in (before, at_the_end.stdout)]
    assert losses[1] < losses[0]


def test_a_run_on_gpus_is_evaluated_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "run": {"steps": 1},
        "model": {"name": "mlp", "options": {}},
        "data": {"name": "mnist-small"},
        "device": {"name": "cpu"},
    }
    run_dir = tmp_path / "run"
    assert not guanyu("simulate", write_config(tmp_path, changes), "--run-dir", run_dir).exit_code
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    here = guanyu("evaluate", run_dir).stdout
    resolved = run_dir / "config.toml"
    told = resolved.read_text(encoding="utf-8")
    there = told.replace('[device]\nname = "cpu"', '[device]\nname = "cuda"')
    assert there != told
    resolved.write_text(there, encoding="utf-8")
    evaluated = guanyu("evaluate", run_dir)
    assert evaluated.exit_code == 0, evaluated.output
    assert evaluated.stdout == here


@pytest.mark.parametrize("command", ["inspect", "evaluate"])
def test_reading_a_run_changes_nothing(run_dir: Path, command: str) -> None:
    before = contents(run_dir)
    guanyu(command, run_dir)
    assert contents(run_dir) == before


@pytest.mark.parametrize("command", ["inspect", "evaluate"])
@pytest.mark.parametrize("name", ["", "none", "tiny.toml"])
def test_what_is_no_run_is_refused(tmp_path: Path, command: str, name: str) -> None:
    write_config(tmp_path)
    result = guanyu(command, tmp_path / name)
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {tmp_path / name} is not the directory of a run: it has no config.toml\n"
    )


def test_a_run_that_has_not_saved_yet_cannot_be_evaluated(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    write_config(tmp_path).rename(run_dir / "config.toml")
    result = guanyu("evaluate", run_dir)
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {run_dir / 'checkpoints'} holds no checkpoint of this run yet\n"
    )
    assert guanyu("inspect", run_dir).stdout == (
        "a restart begins at step 0: there are no checkpoints\n"
    )


@pytest.mark.usefixtures("no_launch")
def test_fresh_refuses_a_directory_with_checkpoints(tmp_path: Path, run_dir: Path) -> None:
    before = contents(run_dir)
    result = guanyu("launch", write_config(tmp_path), "--run-dir", run_dir, "--fresh")
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {run_dir} holds checkpoints and --fresh asks for a new run: choose another "
        "--run-dir, or leave --fresh out to continue\n"
    )
    assert contents(run_dir) == before


@pytest.mark.usefixtures("no_launch")
@pytest.mark.parametrize("command", ["launch", "simulate"])
def test_a_second_job_in_a_directory_is_refused_and_changes_nothing(
    tmp_path: Path, run_dir: Path, command: str
) -> None:
    before = contents(run_dir)
    with locked(run_dir):
        result = guanyu(
            *(command, write_config(tmp_path), "--run-dir", run_dir, "--set", "run.steps=99")
        )
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: another job is running in {run_dir}: wait for it, or choose another --run-dir\n"
    )
    assert contents(run_dir) == before


@pytest.mark.usefixtures("no_launch")
@pytest.mark.parametrize("command", ["launch", "simulate"])
def test_another_run_does_not_take_a_directory_over(
    tmp_path: Path, run_dir: Path, command: str
) -> None:
    """Forgetting --run-dir with a new seed must not cost the old run its config."""
    before = contents(run_dir)
    result = guanyu(
        *(command, write_config(tmp_path), "--run-dir", run_dir, "--set", "run.seed=9")
    )
    assert result.exit_code == 2
    assert f"guanyu: {run_dir} belongs to another run: 'quadratic, seed 3, " in result.stderr
    assert "while this is 'quadratic, seed 9, " in result.stderr
    assert contents(run_dir) == before


def test_a_run_is_not_continued_to_a_step_before_its_checkpoints(
    tmp_path: Path, run_dir: Path
) -> None:
    result = guanyu(
        *("simulate", write_config(tmp_path), "--run-dir", run_dir, "--set", "run.steps=9")
    )
    assert result.exit_code == 2
    assert result.stderr == (
        "guanyu: run.steps = 9 is before step 12, which the checkpoints in "
        f"{run_dir / 'checkpoints'} have reached: raise it, or choose another --run-dir\n"
    )


@pytest.mark.usefixtures("no_launch")
@pytest.mark.parametrize("command", ["launch", "simulate"])
def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path, command: str) -> None:
    path = write_config(tmp_path)
    result = guanyu(command, path, "--run-dir", path / "below-a-file")
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: cannot write into --run-dir {path / 'below-a-file'}: Not a directory\n"
    )


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib; from guanyu_mpi.run_dir import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): os._exit(9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == 9
    with locked(tmp_path):
        pass


def test_the_lock_is_free_again_after_a_job_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass
