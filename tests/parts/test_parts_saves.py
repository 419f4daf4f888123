"""What the servers of a run save, and where they begin."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from parts_harness import server, vector

from guanyu_mpi.checkpoint import scan
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.errors import CheckpointError, ConfigError
from guanyu_mpi.models import ModelSpec
from guanyu_mpi.saves import Saves, median

STEPS = 20
THETA = vector(0.5, 0.25)
SPEC = ModelSpec("quadratic", 2, False, None, THETA.copy)


def config_of(run: Mapping[str, object], **checkpoint: int) -> Config:
    return parse_config(
        {
            "run": {"name": "tiny", "steps": STEPS, **run},
            "cluster": {"servers": 3, "workers": 3},
            "model": {"name": "quadratic", "options": {"dimension": 2}},
            "train": {"learning_rate": 0.1},
            "checkpoint": {"every": 6, **checkpoint},
        }
    )


def saves(run_dir: Path | None, **run: object) -> Saves:
    return Saves(config_of(run), SPEC, run_dir)


def save_all(run_dir: Path, step: int, *values: float) -> None:
    """Each server saves a step, at parameters of its own."""
    for index, value in enumerate(values):
        store = saves(run_dir).store(server(index))
        assert store is not None
        store.write(step, vector(value, -value))


def test_a_new_run_begins_at_the_initial_parameters(tmp_path: Path) -> None:
    for run_dir in (tmp_path, None):
        start = saves(run_dir).start(server(0))
        assert (start.step, start.params.tolist()) == (0, THETA.tolist())


def test_a_restart_begins_where_the_servers_were(tmp_path: Path) -> None:
    save_all(tmp_path, 6, 1.0, 2.0, 3.0)
    for index, value in enumerate((1.0, 2.0, 3.0)):
        start = saves(tmp_path).start(server(index))
        assert (start.step, start.params.tolist()) == (6, [value, -value])


def test_the_start_does_not_move_while_the_run_does(tmp_path: Path) -> None:
    """It is asked for twice: when all is prepared, and when the server begins."""
    save_all(tmp_path, 6, 1.0, 2.0, 3.0)
    held = saves(tmp_path)
    first = held.start(server(0))
    save_all(tmp_path, 12, 4.0, 4.0, 4.0)
    assert held.start(server(0)) is first


def test_as_many_checkpoints_are_kept_as_asked_for(tmp_path: Path) -> None:
    config = config_of({}, keep=2, keep_every=12)
    stores = [Saves(config, SPEC, tmp_path).store(server(index)) for index in range(3)]
    for step in range(6, 49, 6):
        for store in stores:
            assert store is not None
            store.write(step, THETA)
    assert scan(tmp_path / "checkpoints") == dict.fromkeys(range(3), (48, 42, 36, 24, 12))


def test_only_steps_that_are_saved_can_be_kept() -> None:
    with pytest.raises(ConfigError) as caught:
        config_of({}, keep_every=9)
    assert str(caught.value) == (
        "checkpoint.keep_every = 9 is no multiple of checkpoint.every = 6: "
        "of steps in between nothing is saved"
    )


def test_without_a_directory_there_is_nowhere_to_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert saves(None).store(server(0)) is None
    assert list(tmp_path.iterdir()) == []


def test_a_run_cannot_end_before_its_checkpoints(tmp_path: Path) -> None:
    save_all(tmp_path, 12, 1.0, 2.0, 3.0)
    with pytest.raises(ConfigError) as caught:
        saves(tmp_path, steps=11).start(server(0))
    assert str(caught.value) == (
        f"run.steps = 11 is before step 12, which the checkpoints in {tmp_path / 'checkpoints'} "
        "have reached: raise it, or choose another --run-dir"
    )
    assert saves(tmp_path, steps=12).start(server(0)).step == 12


def test_checkpoints_of_another_run_are_refused(tmp_path: Path) -> None:
    save_all(tmp_path, 6, 1.0, 2.0, 3.0)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        saves(tmp_path, seed=1).start(server(0))


def test_the_model_of_nobody_in_particular_is_the_median(tmp_path: Path) -> None:
    save_all(tmp_path, 6, 1.0, 100.0, 3.0)
    model = saves(tmp_path).median_model()
    assert (model.step, model.params.tolist()) == (6, [3.0, -3.0])


@pytest.mark.parametrize("named", [True, False])
def test_there_is_no_model_before_the_first_checkpoint(tmp_path: Path, named: bool) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint of this run yet"):
        saves(tmp_path if named else None).median_model()


def test_a_run_without_a_directory_has_nothing_to_survey() -> None:
    with pytest.raises(CheckpointError, match="without a directory has no checkpoints"):
        saves(None).survey()


@pytest.mark.parametrize(
    ("rows", "result"),
    [([[1.0]], [1.0]), ([[1.0], [4.0]], [2.5]), ([[9.0], [1.0], [2.0], [3.0]], [2.5])],
)
def test_any_number_of_checkpoints_has_a_median(
    rows: list[list[float]], result: list[float]
) -> None:
    assert median(np.array(rows, np.float32)).tolist() == result
