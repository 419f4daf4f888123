"""An experiment's directory, in which elements of an array write from several machines."""

import errno
import os
import shutil
import socket
from pathlib import Path

import pytest
from experiment_files import SEEDS, write_experiment

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.experiment import Cell, Folder, load_experiment
from guanyu_mpi.experiment.record import write_whole


def cell_of(directory: Path, steps: int) -> Cell:
    axes, changes = {"seed": {"1": SEEDS["1"]}}, {"run": {"steps": steps}}
    (cell,) = load_experiment(write_experiment(directory, axes, set=changes)).cells
    return cell


def test_a_file_is_written_beside_its_place_where_no_other_process_of_any_machine_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: list[str] = []

    def full(_: int) -> None:
        beside.extend(at.name for at in tmp_path.iterdir() if at.name != "record.json")
        raise OSError(errno.ENOSPC, "no space left")

    path = tmp_path / "record.json"
    write_whole(path, b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"after")
    (name,) = beside
    assert socket.gethostname() in name
    assert str(os.getpid()) in name
    # The disk is full: what could not be written takes no room there.
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"before"


def test_a_run_that_is_set_aside_takes_the_place_of_none_that_was(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "run")
    outdated = folder.root / "outdated"
    folder.prepare_cell(cell_of(tmp_path, 12))
    folder.prepare_cell(cell_of(tmp_path, 13))
    folder.prepare_cell(cell_of(tmp_path, 14))
    # A user may remove what is not wanted any more.
    shutil.rmtree(outdated / "0000-seed-1")
    folder.prepare_cell(cell_of(tmp_path, 15))
    assert sorted(at.name for at in outdated.iterdir()) == ["0001-seed-1", "0002-seed-1"]


def test_results_of_a_simulation_are_not_taken_for_those_of_jobs(tmp_path: Path) -> None:
    axes = {"seed": {"1": SEEDS["1"]}}
    simulated = load_experiment(write_experiment(tmp_path, axes))
    folder = Folder(tmp_path / "run")
    folder.prepare(simulated)
    folder.prepare(simulated)
    launched = load_experiment(write_experiment(tmp_path, axes, how="launch"))
    with pytest.raises(ConfigError, match="holds results by 'simulate', while how = 'launch'"):
        folder.prepare(launched)
