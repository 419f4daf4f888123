"""A run's directory: its configuration, and that one job at a time works in it."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from guanyu_mpi import run_dir as module
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.run_dir import (
    checkpoint_dir,
    config_path,
    load_run,
    locked,
    prepare_run_dir,
    prepared,
)


def config_of(seed: int = 0, steps: int = 20) -> Config:
    return parse_config(
        {
            "run": {"name": "tiny", "steps": steps, "seed": seed},
            "cluster": {"servers": 3, "workers": 3},
            "model": {"name": "quadratic"},
            "train": {"learning_rate": 0.1},
        }
    )


def save_something(run_dir: Path) -> None:
    path = checkpoint_dir(run_dir) / "server-00" / "step-000000010.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"as good as one")


def test_a_prepared_directory_holds_the_configuration_and_nothing_else(tmp_path: Path) -> None:
    run_dir = tmp_path / "runs" / "new"
    prepare_run_dir(run_dir, config_of(), fresh=True)
    assert list(run_dir.iterdir()) == [config_path(run_dir)]
    assert load_run(run_dir) == config_of()


def test_a_run_may_go_on_with_other_settings(tmp_path: Path) -> None:
    prepare_run_dir(tmp_path, config_of(), fresh=False)
    save_something(tmp_path)
    prepare_run_dir(tmp_path, config_of(steps=30), fresh=False)
    assert load_run(tmp_path).run.steps == 30


def test_a_run_that_is_refused_is_still_the_one_that_it_was(tmp_path: Path) -> None:
    prepare_run_dir(tmp_path, config_of(), fresh=False)
    with suppress(ConfigError), prepared(tmp_path, config_of(steps=30), fresh=False):
        assert load_run(tmp_path).run.steps == 30
        raise ConfigError("refused")
    assert load_run(tmp_path).run.steps == 20
    with prepared(tmp_path, config_of(steps=30), fresh=False) as put_back:
        put_back()
    assert load_run(tmp_path).run.steps == 20


def test_a_run_that_has_begun_keeps_the_configuration_that_it_began_with(tmp_path: Path) -> None:
    prepare_run_dir(tmp_path, config_of(), fresh=False)
    with suppress(OSError), prepared(tmp_path, config_of(steps=30), fresh=False):
        raise OSError("the terminal is gone")
    assert load_run(tmp_path).run.steps == 30


def test_a_run_that_has_saved_does_not_become_another(tmp_path: Path) -> None:
    prepare_run_dir(tmp_path, config_of(), fresh=False)
    save_something(tmp_path)
    with pytest.raises(ConfigError, match="belongs to another run"):
        prepare_run_dir(tmp_path, config_of(seed=1), fresh=False)
    assert load_run(tmp_path) == config_of()


@pytest.mark.parametrize("fresh", [True, False])
def test_a_run_that_has_not_saved_may_become_another(tmp_path: Path, fresh: bool) -> None:
    prepare_run_dir(tmp_path, config_of(), fresh=False)
    prepare_run_dir(tmp_path, config_of(seed=1), fresh=fresh)
    assert load_run(tmp_path) == config_of(seed=1)


@pytest.mark.parametrize("text", [None, "[run", "[run]\nname = 5\n"])
def test_a_run_whose_configuration_is_lost_is_left_to_its_checkpoints(
    tmp_path: Path, text: str | None
) -> None:
    """They know whose they are; to refuse here would make them useless."""
    save_something(tmp_path)
    if text is not None:
        config_path(tmp_path).write_text(text)
    prepare_run_dir(tmp_path, config_of(), fresh=False)
    assert load_run(tmp_path) == config_of()


def test_the_configuration_is_whole_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranks read it while the next launch writes it."""
    prepare_run_dir(tmp_path, config_of(), fresh=False)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConfigError) as caught:
        prepare_run_dir(tmp_path, config_of(steps=30), fresh=False)
    assert str(caught.value) == (
        f"cannot write into --run-dir {tmp_path}: No space left on device"
    )
    assert load_run(tmp_path) == config_of()


def test_two_jobs_do_not_work_in_one_directory(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(ConfigError, match="another job is running in"), locked(tmp_path):
            pytest.fail("it is locked")
        with pytest.raises(ConfigError, match="another job is running in"), locked(tmp_path):
            pytest.fail("it is still locked after somebody was refused")


def test_two_jobs_may_work_in_two_directories(tmp_path: Path) -> None:
    with locked(tmp_path / "one"), locked(tmp_path / "other"):
        pass


@contextmanager
def without_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", unsupported)
        yield


def test_a_file_system_without_locks_does_not_keep_anyone_from_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.fcntl is fcntl
    with without_locks(monkeypatch), locked(tmp_path):
        entered = True
    assert entered


def test_a_failure_of_the_job_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="of the job"), locked(tmp_path):
        raise OSError("of the job")
