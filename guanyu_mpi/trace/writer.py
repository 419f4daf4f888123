"""A rank's trace: an HDF5 file, a group for each life of the run, a dataset for each kind of vote.

All of a file's structure is there, and on the disk, before the first record is written; a record
is then one write to the place that HDF5 has given it. So a kill at any moment leaves a file that
any tool reads, and all that its rank has sent follows from the records in it. Room is made for
every step that the run has; what is not used is a hole in the file, and cut off by the next life.
"""

import hashlib
import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import h5py
import numpy as np
import numpy.typing as npt

from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.protocol.effects import Consumed
from guanyu_mpi.trace.record import NAMES, Layout

FORMAT = "guanyu_mpi trace 1"

Rows: TypeAlias = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says about itself: which life of the run, whose, and from where.

    A server's `step` is where it began, `digest` that of its params there, and `sources` are the
    servers of whose checkpoints they were made: none where they are the model's initial ones.
    `versions` is what else results depend on.
    """

    life: int
    node: str
    step: int
    digest: str
    sources: tuple[int, ...]
    versions: str


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A segment of an earlier life, to be kept: its intact records by kind."""

    header: Header
    rows: Mapping[type[Message], Rows]


class TraceFile:
    """Where a rank writes the quorums of this life, after those of the lives before it."""

    def __init__(
        self,
        path: Path,
        header: Header,
        room: Mapping[type[Message], tuple[Layout, int]],
        earlier: Sequence[Written] = (),
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.stem}.writing")
        self._layouts = {kind: layout for kind, (layout, _) in room.items()}
        self._next = _write_structure(beside, header, room, earlier)
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(path)
        self._ends = {kind: self._next[kind] + at[0].size * at[1] for kind, at in room.items()}
        self._file = path.open("r+b", buffering=0)
        weakref.finalize(self, self._file.close)

    def record(self, consumed: Consumed) -> None:
        """Write a quorum down; the kernel has it when this returns, so a kill loses nothing."""
        layout, offset = self._layouts[consumed.kind], self._next[consumed.kind]
        if offset == self._ends[consumed.kind]:
            raise OSError(f"there is no room for more {NAMES[consumed.kind]} in the trace")
        # A disk that is nearly full takes a part, and says no more than how much.
        if os.pwrite(self._file.fileno(), layout.pack(consumed), offset) < layout.size:
            raise OSError(f"no space is left for the {NAMES[consumed.kind]} of the trace")
        self._next[consumed.kind] = offset + layout.size


def params_digest(params: Vector) -> str:
    """SHA-256 of params (d,), little-endian, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(params, "<f4").data).hexdigest()


def _write_structure(
    path: Path,
    header: Header,
    room: Mapping[type[Message], tuple[Layout, int]],
    earlier: Sequence[Written],
) -> dict[type[Message], int]:
    """Write a whole file with room for records, and where in it that room is, by kind."""
    with h5py.File(path, "w", locking=False) as file:
        file.attrs["format"] = np.bytes_(FORMAT.encode("ascii"))
        for segment in earlier:
            group = _group(file, segment.header)
            for kind, rows in segment.rows.items():
                group.create_dataset(NAMES[kind], data=rows)
        group = _group(file, header)
        return {kind: _make_room(group, kind, *needed) for kind, needed in room.items()}


def _group(file: h5py.File, header: Header) -> h5py.Group:
    group = file.create_group(f"life-{header.life:04d}")
    group.attrs["step"] = np.int64(header.step)
    group.attrs["sources"] = np.array(header.sources, np.int64)
    for name in ("node", "digest", "versions"):
        group.attrs[name] = np.bytes_(getattr(header, name).encode("ascii", "backslashreplace"))
    return group


def _make_room(group: h5py.Group, kind: type[Message], layout: Layout, count: int) -> int:
    """Allocate a dataset without writing into it; its offset in the file."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.CONTIGUOUS)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    dataset = h5py.h5d.create(
        group.id,
        NAMES[kind].encode("ascii"),
        h5py.h5t.py_create(np.dtype(layout.dtype)),
        h5py.h5s.create_simple((count,)),
        plan,
    )
    offset = dataset.get_offset()
    if offset is None:
        raise OSError(f"HDF5 has made no room for {count} records")
    return int(offset)
