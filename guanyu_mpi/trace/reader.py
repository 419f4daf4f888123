"""Reads a rank's trace, whose every byte may be wrong, up to the first record that is torn."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from guanyu_mpi.checkpoint.vector_file import cause
from guanyu_mpi.errors import GuanYuError
from guanyu_mpi.messages import Message
from guanyu_mpi.trace.record import NAMES, Layout
from guanyu_mpi.trace.writer import FORMAT, Header, Rows, Written

TEXT_MAX = 512  # characters of an attribute
# Records read at once.
BLOCK = 4096
SOURCES_MAX = 1 << 16  # ranks that a 16-bit index tells apart


class TraceError(GuanYuError):
    """A trace cannot be used: which, and why."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A quorum as its rank wrote it down: of whom, for which steps, and the marks of all vectors.

    `mark` is that of what the rank made of it.
    """

    step: int
    adopted: bool
    senders: tuple[int, ...]
    steps: tuple[int, ...]
    marks: tuple[int, ...]
    mark: int


class Table:
    """The quorums of one kind, by step."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._steps: list[int] = rows["step"].tolist()
        self._places = {step: place for place, step in enumerate(self._steps)}

    def __iter__(self) -> Iterator[int]:
        """Their steps, in the order in which they were written."""
        return iter(self._places)

    def __contains__(self, step: int) -> bool:
        return step in self._places

    def before(self, step: int) -> int | None:
        """The last step before another."""
        place = bisect_left(self._steps, step)
        return self._steps[place - 1] if place else None

    def get(self, step: int) -> Taken | None:
        """The quorum of a step."""
        if step not in self._places:
            return None
        row = self.rows[self._places[step]]
        votes = row["votes"]
        return Taken(
            step,
            bool(row["adopted"]),
            tuple(int(sender) for sender in votes["sender"]),
            tuple(step + int(ahead) for ahead in votes["ahead"]),
            tuple(int(mark) for mark in votes["mark"]),
            int(row["mark"]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What one life has left in a rank's trace; `torn` if more was written than is intact."""

    header: Header
    tables: Mapping[type[Message], Table]
    torn: bool

    @property
    def written(self) -> Written:
        """What a later life keeps of it."""
        return Written(self.header, {kind: table.rows for kind, table in self.tables.items()})


def read_segments(path: Path) -> list[Segment]:
    """The segments of a trace, oldest first; raises TraceError."""
    try:
        size_bytes = path.stat().st_size
        with h5py.File(path, "r", locking=False) as file:
            if (found := _text(file, "format")) != FORMAT:
                raise ValueError(f"its format is {found!r}, while this program reads {FORMAT!r}")
            return [_segment(name, file[name], size_bytes) for name in sorted(file)]
    # libhdf5's faults arrive as OSError, KeyError, RuntimeError, TypeError, ...: by no fixed list.
    except Exception as fault:
        raise TraceError(f"{path}: {cause(fault)}") from fault


def _segment(name: str, group: h5py.Group, size_bytes: int) -> Segment:
    life = name.removeprefix("life-")
    if not isinstance(group, h5py.Group) or not (life.isascii() and life.isdigit()):
        raise ValueError(f"{name[:TEXT_MAX]!r} is not a life of a run")
    sources = group.attrs.get_id("sources")
    if sources.shape != () and (len(sources.shape) != 1 or sources.shape[0] > SOURCES_MAX):
        raise ValueError(f"{name}: its sources are not a list of servers")
    header = Header(
        int(life),
        _text(group, "node"),
        int(group.attrs["step"]),
        _text(group, "digest"),
        tuple(int(server) for server in np.atleast_1d(group.attrs["sources"])),
        _text(group, "versions"),
    )
    read = {kind: _table(group[NAMES[kind]], size_bytes) for kind in NAMES if NAMES[kind] in group}
    tables = {kind: table for kind, (table, _) in read.items()}
    return Segment(header, tables, any(torn for _, torn in read.values()))


def _table(dataset: h5py.Dataset, size_bytes: int) -> tuple[Table, bool]:
    """The intact records, and whether there is something after them."""
    quorum = dataset.dtype["votes"].shape[0] if dataset.dtype.names else 0
    layout = Layout(quorum)
    if not quorum or dataset.dtype != layout.dtype or dataset.ndim != 1:
        raise ValueError(f"{dataset.name} does not hold quorums")
    plan, start = dataset.id.get_create_plist(), dataset.id.get_offset()
    if plan.get_layout() != h5py.h5d.CONTIGUOUS or plan.get_external_count():
        raise ValueError(f"{dataset.name} is not contiguous in the file itself")
    if len(dataset) and (start is None or start + len(dataset) * layout.size > size_bytes):
        raise ValueError(f"{dataset.name} lies outside the file")
    rows, torn = _intact(dataset, layout)
    ascending = _num_ascending(rows)
    return Table(rows[:ascending]), torn or ascending < len(rows)


def _intact(dataset: h5py.Dataset, layout: Layout) -> tuple[Rows, bool]:
    """The records before the first that is not whole, and whether anything is in its place."""
    found = [dataset[:0]]
    # Most of the room may be a hole: it is not read.
    for start in range(0, len(dataset), BLOCK):
        rows = dataset[start : start + BLOCK]
        data = rows.tobytes()
        intact = layout.num_intact(data)
        found.append(rows[:intact])
        if intact < len(rows):
            return np.concatenate(found), any(data[intact * layout.size :])
    return np.concatenate(found), False


def _num_ascending(rows: Rows) -> int:
    """How many records there are before the first whose step is not after all before it."""
    late = np.flatnonzero(np.diff(rows["step"].astype(np.int64)) <= 0)
    return int(late[0]) + 1 if len(late) else len(rows)


def _text(place: h5py.Group, name: str) -> str:
    attribute = place.attrs.get_id(name)
    if attribute.shape != () or attribute.dtype.kind != "S" or attribute.dtype.itemsize > TEXT_MAX:
        raise ValueError(f"its attribute {name} is not a text of at most {TEXT_MAX} characters")
    text = bytes(place.attrs[name]).decode("ascii")
    # It is shown on terminals.
    if not text.isprintable():
        raise ValueError(f"its attribute {name} is not of printable characters")
    return text
