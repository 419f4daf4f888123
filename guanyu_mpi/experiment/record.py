"""The result of a cell: one small file, written whole or not at all."""

import os
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from guanyu_mpi.checkpoint.atomic import replace

# No record is as long; what is has been made by somebody else.
SIZE_MAX = 1 << 16


class Status(StrEnum):
    """How a cell ended; who has diverged has a result too, and would diverge again."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """What came of a cell: `digest` is of its configuration, `values` its names by axis.

    `step`, `accuracy` and `loss` are of the last observation, None where there is none;
    `best_accuracy` is over all; `wall_s` is of the last of its `lives`.
    """

    experiment: str
    cell: str
    values: dict[str, str]
    digest: str
    status: Status
    reason: str
    steps: int
    step: int | None
    accuracy: float | None
    best_accuracy: float | None
    loss: float | None
    wall_s: float
    lives: int
    how: str
    version: str

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.status is not Status.FAILED


_ADAPTER = TypeAdapter(Record)


def write_record(path: Path, record: Record) -> None:
    """Write a record where readers see all of it or none."""
    write_whole(path, _ADAPTER.dump_json(record, indent=1) + b"\n")


def read_record(path: Path) -> Record | None:
    """The record in a file; None where there is none that can be read."""
    try:
        with path.open("rb") as file:
            return _ADAPTER.validate_json(file.read(SIZE_MAX))
    except (OSError, ValueError):
        return None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, to the disk, and then into its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, partial(_write, content))


def _write(content: bytes, path: Path) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
