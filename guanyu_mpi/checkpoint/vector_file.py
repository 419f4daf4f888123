"""One vector in an HDF5 file, with attributes and a digest; never trusted on reading.

HDF5 because any tool reads it; contiguous because that is as fast as raw bytes, and because a file
that cannot be compressed, chunked or linked cannot be larger than it looks.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import h5py
import numpy as np

from guanyu_mpi import __version__
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.messages import Vector

TEXT_MAX = 256  # characters of an attribute: an honest file's longest is the digest, 64

Attribute: TypeAlias = int | float | str
Attributes: TypeAlias = Mapping[str, Attribute]

STORED = np.dtype("<f4")
_NUMBERS = {int: np.dtype("<i8"), float: np.dtype("<f8")}


class FileError(CheckpointError):
    """One file cannot be used: which, and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class UnfitError(FileError):
    """A file is nobody's damage: it is of another program, model or run than this one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: what it is called, its version, its dataset, and its attributes' types."""

    name: str
    version: int
    dataset: str
    attributes: Mapping[str, type[Attribute]]

    @property
    def format(self) -> str:
        """What a file of this kind says that it is."""
        return f"guanyu_mpi {self.name} {self.version}"


class VectorFile:
    """A file that is being read: its attributes are sound by themselves, its vector is unread."""

    def __init__(self, file: h5py.File, kind: Kind, size_bytes: int) -> None:
        self._kind = kind
        self.attributes, self._claimed = _attributes(file, kind)
        self._dataset = _dataset(file, kind, size_bytes)

    @property
    def dimension(self) -> int:
        """How many coordinates the vector has; they are inside the file."""
        return int(self._dataset.shape[0])

    def vector(self) -> Vector:
        """The vector (d,); raises ValueError if it or any attribute is not what was written."""
        stored = np.empty(self._dataset.shape, STORED)
        self._dataset.read_direct(stored)
        if digest(self._kind, self.attributes, stored) != self._claimed:
            raise ValueError(
                "its contents do not match its sha256: the file was damaged or edited"
            )
        if not np.isfinite(stored).all():
            raise ValueError(f"its {self._kind.dataset} are not finite")
        return stored.astype(np.float32, copy=False)


@contextmanager
def opened(path: Path, kind: Kind) -> Iterator[VectorFile]:
    """A file whose every byte may be wrong; whatever reading raises becomes a FileError.

    Nothing is allocated for a shape that is larger than the file.
    """
    try:
        _refuse_links(path)
        with h5py.File(path, "r", locking=False) as file:
            yield VectorFile(file, kind, path.stat().st_size)
    except FileError:
        raise
    # libhdf5's faults arrive as OSError, KeyError, RuntimeError, TypeError, ...: by no fixed list.
    except Exception as fault:
        raise FileError(path, cause(fault)) from fault


def digest(kind: Kind, attributes: Attributes, vector: Vector) -> str:
    """SHA-256 over every attribute and then the vector's little-endian bytes, in hexadecimal."""
    claims = {"format": kind.format, **attributes}
    sha256 = hashlib.sha256(json.dumps(claims, sort_keys=True).encode() + b"\n")
    sha256.update(np.ascontiguousarray(vector, STORED).data)
    return sha256.hexdigest()


def cause(fault: Exception) -> str:
    """What went wrong, in a few words: h5py adds addresses of buffers, and the path once more."""
    if isinstance(fault, OSError) and fault.errno:
        return os.strerror(fault.errno)
    return (str(fault).strip("'\"") or type(fault).__name__).splitlines()[0]


def _refuse_links(path: Path) -> None:
    # A pipe would block us for good, and a link would let one file count for two servers.
    for place in (path.parent, path):
        if stat.S_ISLNK(place.lstat().st_mode):
            raise ValueError(f"{place.name} is a symbolic link")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError("not a regular file")


def _attributes(file: h5py.File, kind: Kind) -> tuple[dict[str, Attribute], str]:
    """The attributes and the digest that a file claims."""
    # Before all else: a later version may have others.
    claimed = _text(file, "format") if "format" in file.attrs else ""
    _check_format(claimed, kind, Path(file.filename))
    if h5py.h5a.get_num_attrs(file.id) != len(kind.attributes) + 2:
        raise ValueError(f"not a {kind.name}: its attributes are not those of one")
    attributes: dict[str, Attribute] = {}
    for name, found in kind.attributes.items():
        attributes[name] = _text(file, name) if found is str else _number(file, name, found)
    return attributes, _text(file, "sha256")


def _check_format(found: str, kind: Kind, path: Path) -> None:
    """Raise UnfitError for another version, saying what to do, and ValueError for the rest."""
    name, _, version = found.rpartition(" ")
    if found == kind.format:
        return
    if name != f"guanyu_mpi {kind.name}" or not version.isdecimal():
        raise ValueError(f"not a {kind.name}: its format is {found!r}")
    remedy = (
        "update it to continue this run"
        if int(version) > kind.version
        else "continue this run with the version that wrote it"
    )
    raise UnfitError(
        path,
        f"its format is {found!r}, while this guanyu_mpi {__version__} reads {kind.format!r}: "
        f"{remedy}",
    )


def _number(file: h5py.File, name: str, kind: type[Attribute]) -> int | float:
    attribute = file.attrs.get_id(name)
    if attribute.shape != () or attribute.dtype != _NUMBERS[kind]:
        raise ValueError(f"its attribute {name} is not one 64-bit number")
    number: int | float = file.attrs[name].item()
    return number


def _text(file: h5py.File, name: str) -> str:
    attribute = file.attrs.get_id(name)
    if attribute.shape != () or attribute.dtype.kind != "S" or attribute.dtype.itemsize > TEXT_MAX:
        raise ValueError(f"its attribute {name} is not a text of at most {TEXT_MAX} characters")
    return bytes(file.attrs[name]).decode("ascii")


def _dataset(file: h5py.File, kind: Kind, size_bytes: int) -> h5py.Dataset:
    """The vector, not yet read: the only object of the file, contiguous, and inside it."""
    what, name = kind.dataset, kind.dataset.encode("ascii")
    if len(file) != 1 or file.id.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"not a {kind.name}: it has more or other objects than {what}")
    dataset = file[what]
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != STORED or dataset.ndim != 1:
        raise ValueError(f"its {what} are not a vector of float32")
    layout = dataset.id.get_create_plist()
    if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count():
        raise ValueError(f"its {what} are not contiguous in the file itself")
    start = dataset.id.get_offset()
    if start is None or start + dataset.shape[0] * STORED.itemsize > size_bytes:
        raise ValueError(f"its {what} lie outside the file")
    return dataset
