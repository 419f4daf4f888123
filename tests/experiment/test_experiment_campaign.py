"""Which cells an experiment begins, and what it makes of their ends; their commands are played."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from experiment_files import SEEDS, write_experiment

from guanyu_mpi.cli import main
from guanyu_mpi.experiment import Campaign, Cell, Folder, Record, Status, load_experiment
from guanyu_mpi.experiment.outcome import judged
from guanyu_mpi.processes import ToldToLeave


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A line for every cell that was begun; each has saved and left."""
    path, python = tmp_path / "begun", tmp_path / "python"
    path.touch()
    python.write_text(f'#!/bin/sh\necho "$@" >> {path}\nexit 85\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return path


def test_a_cell_that_has_saved_and_left_has_no_result_and_is_the_last_that_is_begun(
    tmp_path: Path, begun: Path
) -> None:
    path, run_dir = write_experiment(tmp_path, {"seed": SEEDS}), tmp_path / "run"
    argv = ["experiment", str(path), "--run-dir", str(run_dir), "--jobs", "1"]
    result = CliRunner().invoke(main, argv)
    assert result.exit_code == 85
    told = f"left because seed-1 has saved and left; the same command continues {run_dir}"
    assert told in result.stderr
    assert len(begun.read_text(encoding="utf-8").splitlines()) == 1
    assert not list(run_dir.glob("cells/*/record.json"))


def test_a_cell_that_another_process_has_done_meanwhile_is_not_begun(
    tmp_path: Path, begun: Path
) -> None:
    experiment = load_experiment(write_experiment(tmp_path, {"seed": SEEDS}))
    folder = Folder(tmp_path / "run")
    folder.prepare(experiment)
    done = [
        judged(experiment, cell, folder, exit_status=0, wall_s=1.0) for cell in experiment.cells
    ]
    told: list[tuple[Cell, Record | str]] = []

    def report(cell: Cell, result: Record | str) -> None:
        told.append((cell, result))

    for record in done:
        folder.write(record)
    Campaign(experiment, folder, ToldToLeave(), report).run(experiment.cells, 1)
    assert told == list(zip(experiment.cells, done, strict=True))
    assert {record.status for record in done} == {Status.FINISHED}
    assert begun.read_text(encoding="utf-8") == ""


def test_no_more_processes_are_started_than_cells_run_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading torch takes longer than many a cell, so that a process does one after another."""
    starts, begun, python = (tmp_path / name for name in ("starts", "begun", "python"))
    does_all = f'while read -r line; do echo "$line" >> {begun}; echo 0; done'
    python.write_text(f"#!/bin/sh\necho >> {starts}\n{does_all}\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    seeds = {str(seed): {"run": {"seed": seed}} for seed in range(9)}
    experiment = load_experiment(write_experiment(tmp_path, {"seed": seeds}))
    folder = Folder(tmp_path / "run")
    folder.prepare(experiment)
    told: list[Record | str] = []
    campaign = Campaign(experiment, folder, ToldToLeave(), lambda _, result: told.append(result))
    campaign.run(experiment.cells, 2)
    assert len(told) == len(begun.read_text(encoding="utf-8").splitlines()) == 9
    assert len(starts.read_text(encoding="utf-8").splitlines()) == 2
