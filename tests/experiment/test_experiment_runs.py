"""Cells run, once; whatever ends the experiment, the same command goes on."""

import signal
from functools import partial
from pathlib import Path

import pytest
from experiment_files import RULES, SEEDS, finished, started, write_experiment
from waiting import until

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.experiment import Folder, Record, Status, load_experiment
from guanyu_mpi.journal import observer_log
from guanyu_mpi.metrics import read_events
from guanyu_mpi.report.run import read_run
from guanyu_mpi.run_dir import locked


def records(path: Path, run_dir: Path) -> dict[str, Record | None]:
    folder = Folder(run_dir)
    return {
        cell.name: folder.record(cell.name, cell.digest) for cell in load_experiment(path).cells
    }


def marks(run_dir: Path) -> dict[str, tuple[int, int]]:
    """When each record was written, and which file it is."""
    found = run_dir.glob("cells/*/record.json")
    return {at.parent.name: (at.stat().st_mtime_ns, at.stat().st_ino) for at in found}


def test_every_cell_leaves_a_run_and_a_record_and_is_not_run_again(tmp_path: Path) -> None:
    path, run_dir = write_experiment(tmp_path, {"seed": SEEDS}), tmp_path / "run"
    status, output = finished(path, run_dir)
    assert status == 0, output
    found = records(path, run_dir)
    for name, record in found.items():
        assert record is not None
        assert record.status is Status.FINISHED
        assert (record.step, record.lives, record.how) == (12, 1, "simulate")
        assert record.loss == read_events(observer_log(run_dir / "cells" / name))[-1]["loss"]
    before = marks(run_dir)
    status, output = finished(path, run_dir)
    assert status == 0
    assert "2 of 2 cells are done" in output
    assert marks(run_dir) == before


def test_a_cell_of_a_changed_configuration_is_run_again_and_the_old_run_kept(
    tmp_path: Path,
) -> None:
    run_dir = tmp_path / "run"
    finished(write_experiment(tmp_path, {"seed": {"1": SEEDS["1"]}}), run_dir)
    path = write_experiment(tmp_path, {"seed": {"1": SEEDS["1"]}}, set={"run": {"steps": 16}})
    assert records(path, run_dir) == {"seed-1": None}
    status, output = finished(path, run_dir)
    assert status == 0, output
    record = records(path, run_dir)["seed-1"]
    assert record is not None
    # From its beginning: it does not go on where a run of another configuration has ended.
    assert (record.step, record.lives) == (16, 1)
    assert [kept.name for kept in (run_dir / "outdated").iterdir()] == ["0000-seed-1"]


def test_a_cell_that_fails_keeps_no_other_from_its_end_and_is_tried_again(tmp_path: Path) -> None:
    """Whether a model of the user's takes the images, only the run finds out."""
    linear = {"name": "torch.nn:Linear", "options": {"in_features": 3, "out_features": 2}}
    axes = {"model": {"unfit": {"model": linear, "data": {"name": "mnist-small"}}, "fit": {}}}
    path, run_dir = write_experiment(tmp_path, axes), tmp_path / "run"
    status, output = finished(path, run_dir, "--jobs", "1")
    assert status == 1
    assert "1 of 2 cells are done; the same command tries the others again" in output
    found = records(path, run_dir)
    failed, fine = found["model-unfit"], found["model-fit"]
    assert failed is not None
    assert fine is not None
    assert fine.status is Status.FINISHED
    assert failed.status is Status.FAILED
    assert failed.reason.startswith(
        "exit status 2: guanyu: model 'torch.nn:Linear' cannot take images"
    )
    before = marks(run_dir)
    assert finished(path, run_dir)[0] == 1
    after = marks(run_dir)
    assert after["model-fit"] == before["model-fit"]
    assert after["model-unfit"] != before["model-unfit"]


def test_a_run_that_diverges_has_a_result(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, {"rate": {"huge": {"train": {"learning_rate": 1e30}}}})
    status, output = finished(path, tmp_path / "run")
    assert status == 0, output
    record = records(path, tmp_path / "run")["rate-huge"]
    assert record is not None
    assert record.status is Status.DIVERGED
    assert record.done
    assert "is not finite" in record.reason
    assert "1 of 1 cells are done" in finished(path, tmp_path / "run")[1]


def test_a_kill_in_the_middle_repeats_no_finished_cell_and_leaves_no_process(
    tmp_path: Path,
) -> None:
    seeds = {str(seed): {"run": {"seed": seed}} for seed in range(5)}
    path, run_dir = write_experiment(tmp_path, {"seed": seeds}), tmp_path / "run"
    process = started(path, run_dir, "--jobs", "1")
    until(lambda: len(marks(run_dir)) >= 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    before = marks(run_dir)
    assert 2 <= len(before) < 5
    # The cell that was at work ends with its parent: its lock is free.
    for cell in list((run_dir / "cells").iterdir()):
        until(partial(is_free, cell))
    runs = {name: observer_log(run_dir / "cells" / name).read_bytes() for name in before}
    status, output = finished(path, run_dir)
    assert status == 0, output
    after = marks(run_dir)
    assert len(after) == 5
    assert {name: after[name] for name in before} == before
    for name, content in runs.items():
        assert observer_log(run_dir / "cells" / name).read_bytes() == content


@pytest.mark.parametrize(("signum", "expected"), [(signal.SIGTERM, 85), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_the_same_command_continues(
    tmp_path: Path, signum: signal.Signals, expected: int
) -> None:
    path, run_dir = write_experiment(tmp_path, {"rule": RULES}), tmp_path / "run"
    process = started(path, run_dir, "--jobs", "1")
    until(lambda: any(run_dir.glob("cells/*/logs/cell.log")))
    process.send_signal(signum)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == expected, output
    assert f"left because of {signum.name}; the same command continues" in output
    assert len(marks(run_dir)) < 2
    status, output = finished(path, run_dir)
    assert status == 0, output
    found = records(path, run_dir).values()
    assert [record.status for record in found if record] == [Status.FINISHED] * 2


def test_one_cell_is_run_alone(tmp_path: Path) -> None:
    path, run_dir = write_experiment(tmp_path, {"seed": SEEDS}), tmp_path / "run"
    assert finished(path, run_dir, "--cell", "1")[0] == 0
    assert list(marks(run_dir)) == ["seed-2"]


def test_a_cell_that_another_job_runs_is_left_to_it(tmp_path: Path) -> None:
    path, run_dir = write_experiment(tmp_path, {"seed": {"1": SEEDS["1"]}}), tmp_path / "run"
    with locked(run_dir / "cells" / "seed-1"):
        status, output = finished(path, run_dir)
    assert status == 1
    assert "seed-1: not begun: another job is running" in output
    assert not marks(run_dir)


def test_a_directory_of_another_experiment_is_refused(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    path = write_experiment(tmp_path, {"seed": SEEDS})
    Folder(run_dir).prepare(load_experiment(path))
    status, output = finished(write_experiment(tmp_path, {"seed": SEEDS}, name="b"), run_dir)
    assert status == 2
    assert "holds the experiment 'tiny', while this is 'b': choose another --run-dir" in output


def is_free(run_dir: Path) -> bool:
    try:
        with locked(run_dir):
            return True
    except ConfigError:
        return False


@pytest.mark.mpi
@pytest.mark.slow
def test_cells_run_over_mpi_as_well(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, {"seed": {"1": SEEDS["1"]}}, how="launch")
    status, output = finished(path, tmp_path / "run")
    assert status == 0, output
    record = records(path, tmp_path / "run")["seed-1"]
    assert record is not None
    assert (record.status, record.step, record.how) == (Status.FINISHED, 12, "launch")
    assert not read_run(tmp_path / "run" / "cells" / "seed-1", "x").virtual
