"""An experiment's directory: what it is, and a run directory with a record for every cell."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from guanyu_mpi.config import Config, load_config
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.experiment.cells import Cell, Experiment, cell_name, digest
from guanyu_mpi.experiment.record import Record, read_record, write_record, write_whole
from guanyu_mpi.run_dir import config_path, locked, prepare_run_dir

# 10,000 cells with names of 200 characters, and room.
OUTLINE_SIZE_MAX = 1 << 22


@dataclass(frozen=True, slots=True)
class Outline:
    """What an experiment consists of, for who finds its directory and not its file.

    `axes` are the names along each axis, `cells` digests by name.
    """

    name: str
    about: str
    how: str
    axes: dict[str, tuple[str, ...]]
    cells: dict[str, str]

    def cell(self, values: Mapping[str, str]) -> str:
        """The name of a cell, or what it would be."""
        return cell_name({axis: values[axis] for axis in self.axes})


_ADAPTER = TypeAdapter(Outline)


@dataclass(frozen=True, slots=True)
class Folder:
    """The directory of an experiment, which several processes may work in at once."""

    root: Path

    @property
    def outline_path(self) -> Path:
        """What makes a directory that of an experiment."""
        return self.root / "experiment.json"

    def run_dir(self, cell: str) -> Path:
        """The run directory of a cell."""
        return self.root / "cells" / cell

    def log_path(self, cell: str) -> Path:
        """What the command of a cell has printed."""
        return self.run_dir(cell) / "logs" / "cell.log"

    def record(self, cell: str, digest: str) -> Record | None:
        """The result of a cell, if there is one of this configuration."""
        record = read_record(self._record_path(cell))
        return record if record is not None and record.digest == digest else None

    def is_damaged(self, cell: str) -> bool:
        """Whether a cell has a result that cannot be read."""
        path = self._record_path(cell)
        return os.path.lexists(path) and read_record(path) is None

    def write(self, record: Record) -> None:
        """Keep the result of a cell."""
        write_record(self._record_path(record.cell), record)

    def outline(self) -> Outline | None:
        """What the experiment consists of; None where that cannot be read."""
        try:
            with self.outline_path.open("rb") as file:
                return _ADAPTER.validate_json(file.read(OUTLINE_SIZE_MAX))
        except (OSError, ValueError):
            return None

    def prepare(self, experiment: Experiment) -> None:
        """Make the directory that of an experiment; raises ConfigError if it is another's."""
        before = self.outline()
        if before is not None and before.name != experiment.name:
            raise ConfigError(
                f"{self.root} holds the experiment {before.name!r}, while this is "
                f"{experiment.name!r}: choose another --run-dir"
            )
        if before is not None and before.how != experiment.how.value:
            raise ConfigError(
                f"{self.root} holds results by {before.how!r}, while how = "
                f"{experiment.how.value!r}: choose another --run-dir"
            )
        cells = {cell.name: cell.digest for cell in experiment.cells}
        outline = Outline(
            experiment.name, experiment.about, experiment.how.value, dict(experiment.axes), cells
        )
        try:
            write_whole(self.outline_path, _ADAPTER.dump_json(outline, indent=1) + b"\n")
        except OSError as error:
            raise ConfigError(f"cannot write into {self.root}: {error.strerror}") from error

    def prepare_cell(self, cell: Cell) -> None:
        """Make a cell's run directory ready to begin or go on; raises ConfigError."""
        run_dir = self.run_dir(cell.name)
        # Locked: what is moved or written here must not change under a job that runs.
        with locked(run_dir):
            if config_path(run_dir).exists() and not _continues(run_dir, cell):
                self._set_aside(run_dir)
        with locked(run_dir):
            prepare_run_dir(run_dir, cell.config, fresh=False)

    def _record_path(self, cell: str) -> Path:
        return self.run_dir(cell) / "record.json"

    def _set_aside(self, run_dir: Path) -> None:
        """Keep the run of another configuration where it is not continued by this one."""
        aside = self.root / "outdated"
        aside.mkdir(exist_ok=True)
        # One more than any there: a user may have removed some.
        before = (at.name.partition("-")[0] for at in aside.iterdir())
        number = 1 + max((int(number) for number in before if number.isdecimal()), default=-1)
        run_dir.rename(aside / f"{number:04d}-{run_dir.name}")


def _continues(run_dir: Path, cell: Cell) -> bool:
    """Whether what is in a run directory is of this very configuration."""
    before = _loaded(config_path(run_dir))
    return before is not None and digest(before) == cell.digest


def _loaded(path: Path) -> Config | None:
    try:
        return load_config(path)
    except ConfigError:
        return None
