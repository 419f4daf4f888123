"""Writing one vector into an HDF5 file, as fast as bytes can be forced to a disk.

HDF5 makes the structure in memory and says where in the file the vector goes; the disk sees bytes
alone. So no other thread waits for HDF5's lock, the digest is computed while the disk writes, and
a full disk is told in the system's words, and not in those of a library that cannot close it.
"""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from guanyu_mpi.checkpoint.vector_file import STORED, Attribute, Attributes, Kind, digest
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.messages import Vector

if TYPE_CHECKING:
    from typing_extensions import Buffer

_WRITE_BYTES_MAX = 1 << 30  # Linux writes no more than 2 GiB at once.


def write_vector(path: Path, kind: Kind, attributes: Attributes, vector: Vector) -> None:
    """Write a file and force it to the disk; what the file system raises passes through.

    The digest is put in its place when all else is on the disk.
    """
    stored = np.ascontiguousarray(vector, STORED)
    structure = _Structure()
    with ThreadPoolExecutor(max_workers=1) as beside, path.open("wb", buffering=0) as file:
        found = beside.submit(digest, kind, attributes, stored)
        with h5py.File(structure, "w") as described:
            offset = _describe(described, kind, attributes, len(stored))
            structure.move_to(file.fileno())
            _write_bytes(file.fileno(), stored.data.cast("B"), offset)
            os.fdatasync(file.fileno())
            described.attrs.modify("sha256", _stored(found.result()))
        structure.move_to(file.fileno())
        os.fdatasync(file.fileno())


class _Structure(io.RawIOBase):
    """What HDF5 takes for a file: the few pieces that it has written, and the rest is zeros."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, bytes]] = []
        self._moved = 0  # of the pieces
        self._at = self._end = 0

    def move_to(self, descriptor: int) -> None:
        """Write into a file what is new here."""
        for offset, piece in self._pieces[self._moved :]:
            _write_bytes(descriptor, memoryview(piece), offset)
        self._moved = len(self._pieces)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place; from the end, if it is not from the beginning."""
        self._at = offset + (self._end if whence == os.SEEK_END else 0)
        return self._at

    def truncate(self, size: int | None = None, /) -> int:
        """Note the length."""
        self._end = self._at if size is None else size
        return self._end

    def write(self, piece: "Buffer", /) -> int:
        """Keep a piece."""
        self._pieces.append((self._at, bytes(piece)))
        self._at += len(self._pieces[-1][1])
        self._end = max(self._end, self._at)
        return len(self._pieces[-1][1])

    def readinto(self, buffer: "Buffer", /) -> int:
        """Give back what was written, the newest on top."""
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        for offset, piece in self._pieces:
            low, high = max(offset, self._at), min(offset + len(piece), self._at + len(view))
            if low < high:
                view[low - self._at : high - self._at] = piece[low - offset : high - offset]
        self._at += len(view)
        return len(view)


def _describe(file: h5py.File, kind: Kind, attributes: Attributes, dimension: int) -> int:
    """All but the vector and the digest; the offset at which the vector belongs."""
    claims = {"format": kind.format, "sha256": "0" * 64, **attributes}
    for name, value in claims.items():
        _set_attribute(file, name, _stored(value))
    offset = _make_room(file, kind.dataset, dimension)
    file.flush()
    return offset


def _set_attribute(file: h5py.File, name: str, value: np.generic) -> None:
    """As `file.attrs[name] = value`, which takes five times as long."""
    array = np.asarray(value)
    kind = h5py.h5t.py_create(array.dtype, logical=True)
    space = h5py.h5s.create(h5py.h5s.SCALAR)
    h5py.h5a.create(file.id, name.encode("ascii"), kind, space).write(array)


def _make_room(file: h5py.File, name: str, dimension: int) -> int:
    """Make a contiguous dataset without writing into it; its offset in the file."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.CONTIGUOUS)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    # Equal contents are equal files.
    plan.set_obj_track_times(False)
    space = h5py.h5s.create_simple((dimension,))
    dataset = h5py.h5d.create(file.id, name.encode("ascii"), h5py.h5t.IEEE_F32LE, space, plan)
    offset = dataset.get_offset()
    if offset is None:
        raise InvariantError(f"HDF5 has made no room for {dimension} coordinates")
    return int(offset)


def _write_bytes(descriptor: int, contents: memoryview, offset: int) -> None:
    while contents:
        written = os.pwrite(descriptor, contents[:_WRITE_BYTES_MAX], offset)
        contents, offset = contents[written:], offset + written


def _stored(value: Attribute) -> np.bytes_ | np.int64 | np.float64:
    if isinstance(value, str):
        return np.bytes_(value.encode("ascii"))
    return np.int64(value) if isinstance(value, int) else np.float64(value)
