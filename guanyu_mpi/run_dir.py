"""A run's directory: what makes it one, and that only one job at a time works in it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from guanyu_mpi.config import Config, config_toml, load_config, run_identity
from guanyu_mpi.errors import CheckpointError, ConfigError


def config_path(run_dir: Path) -> Path:
    """Where the resolved configuration of a run is."""
    return run_dir / "config.toml"


def checkpoint_dir(run_dir: Path) -> Path:
    """Where the servers' checkpoints are."""
    return run_dir / "checkpoints"


def prepare_run_dir(run_dir: Path, config: Config, *, fresh: bool) -> None:
    """Make the directory and write the resolved configuration into it; raises ConfigError."""
    if any(checkpoint_dir(run_dir).glob("*/*.h5")):
        if fresh:
            raise ConfigError(
                f"{run_dir} holds checkpoints and --fresh asks for a new run: choose another "
                "--run-dir, or leave --fresh out to continue"
            )
        refuse_another_run(run_dir, config)
    with _writing_into(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        _replace_config(run_dir, config_toml(config).encode())


@contextmanager
def prepared(run_dir: Path, config: Config, *, fresh: bool) -> Iterator[Callable[[], None]]:
    """The directory, prepared, and what puts back the configuration that was there, if any.

    So does input that is refused within: such a run is still the one that it was.
    """
    with _writing_into(run_dir):
        path = config_path(run_dir)
        former = path.read_bytes() if path.is_file() else None
    prepare_run_dir(run_dir, config, fresh=fresh)

    def put_back() -> None:
        if former is not None:
            with _writing_into(run_dir):
                _replace_config(run_dir, former)

    try:
        yield put_back
    except (ConfigError, CheckpointError):
        put_back()
        raise


def _replace_config(run_dir: Path, text: bytes) -> None:
    beside = run_dir / f".config-{os.getpid()}.tmp"
    beside.write_bytes(text)
    beside.replace(config_path(run_dir))


def load_run(run_dir: Path) -> Config:
    """Configuration of a run that has been started; raises ConfigError."""
    if not config_path(run_dir).exists():
        raise ConfigError(f"{run_dir} is not the directory of a run: it has no config.toml")
    return load_config(config_path(run_dir))


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Make the directory and hold it for one job; the kernel lets go of it however we end."""
    with _writing_into(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        file = (run_dir / ".lock").open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"another job is running in {run_dir}: wait for it, or choose another --run-dir"
            ) from error
        # Some file systems of clusters have no locks: there the user has to take care.
        except OSError:
            pass
        yield


def refuse_another_run(run_dir: Path, config: Config) -> None:
    """Keep the configuration that the checkpoints were made with, where it cannot be continued."""
    try:
        before = run_identity(load_run(run_dir))
    # It is gone, damaged, or of a model that is: then the checkpoints say whose they are.
    except ConfigError:
        return
    if before != run_identity(config):
        raise ConfigError(
            f"{run_dir} belongs to another run: {before!r}, while this is "
            f"{run_identity(config)!r}: choose another --run-dir"
        )


@contextmanager
def _writing_into(run_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot write into --run-dir {run_dir}: {error.strerror}") from error
