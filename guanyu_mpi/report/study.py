"""An experiment as its directory tells it: which cells there are, and the results so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from guanyu_mpi.excerpt import events, excerpt
from guanyu_mpi.experiment import Folder, Outline, Record
from guanyu_mpi.journal import observer_log
from guanyu_mpi.report.history import History, history
from guanyu_mpi.report.run import UnreadableError

# Cells that differ along this axis only are repetitions of each other.
REPEATED = "seed"
OBSERVER_BYTES_MAX = 4 << 20


@dataclass(frozen=True, slots=True)
class Study:
    """What is shown of an experiment: records by name of cell, where they are of this outline."""

    outline: Outline
    folder: Folder
    records: Mapping[str, Record]

    @property
    def virtual(self) -> bool:
        """Whether its time is a simulator's."""
        return self.outline.how == "simulate"

    @property
    def time(self) -> str:
        """What kind of time its runs have taken."""
        return "virtual" if self.virtual else "elapsed"

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes that cells are told apart by."""
        return tuple(axis for axis in self.outline.axes if axis != REPEATED) or (REPEATED,)

    def cells(self, values: Mapping[str, str]) -> list[str]:
        """Names of the cells that have these values, seed by seed."""
        axes = {**self.outline.axes, **{axis: (value,) for axis, value in values.items()}}
        return [
            self.outline.cell(dict(zip(axes, names, strict=True)))
            for names in product(*axes.values())
        ]

    def histories(self, values: Mapping[str, str]) -> list[History]:
        """What was observed of these cells, of those that are done."""
        done = {cell for cell, record in self.records.items() if record.done}
        logs = (self._log(cell) for cell in self.cells(values) if cell in done)
        found = [history(excerpt(log, OBSERVER_BYTES_MAX)) for log in logs]
        return [seen for seen in found if seen.looks]

    def damaged(self) -> list[str]:
        """Names of the cells that have a record which cannot be read."""
        without = (cell for cell in self.outline.cells if cell not in self.records)
        return [cell for cell in without if self.folder.is_damaged(cell)]

    def unseen(self) -> list[str]:
        """Names of the cells that are done, while no observation of them can be read."""
        return [
            cell
            for cell, record in self.records.items()
            if record.done and not _is_seen(self._log(cell))
        ]

    def _log(self, cell: str) -> Path:
        return observer_log(self.folder.run_dir(cell))


def is_experiment(path: Path) -> bool:
    """Whether a directory is that of an experiment."""
    return Folder(path).outline_path.exists()


def read_study(path: Path) -> Study:
    """The experiment in a directory; raises UnreadableError."""
    folder = Folder(path)
    outline = folder.outline()
    if outline is None:
        raise UnreadableError(f"{folder.outline_path}: is damaged, or of another version")
    records = {cell: folder.record(cell, digest) for cell, digest in outline.cells.items()}
    found = {cell: record for cell, record in records.items() if record is not None}
    return Study(outline, folder, found)


def _is_seen(log: Path) -> bool:
    """Whether there is an observation in a log; of most only the first line is looked at."""
    return any(history([event]).looks for event in events(log, OBSERVER_BYTES_MAX))


def combinations(axes: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination of names along axes; one that is empty if there are none."""
    return [dict(zip(axes, names, strict=True)) for names in product(*axes.values())]
