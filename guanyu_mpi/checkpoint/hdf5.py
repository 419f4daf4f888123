"""One checkpoint file: a contiguous HDF5 dataset and its attributes, never trusted on reading.

HDF5 because any tool reads it; contiguous because that is as fast as raw bytes (twice as fast as
chunks, four times as fast as chunks with checksums, at 400 MB) and because a file that cannot be
compressed, chunked or linked cannot be larger than it looks.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import h5py
import numpy as np

from guanyu_mpi import __version__
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.messages import Vector

FORMAT = "guanyu_mpi checkpoint 1"
TEXT_MAX = 256  # characters of an attribute: an honest file's longest is the digest, 64

_STORED = np.dtype("<f4")


class FileError(CheckpointError):
    """One file cannot be used: which, and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ForeignError(FileError):
    """A file is sound, but another run wrote it: another model, other data or another seed."""

    def __init__(self, path: Path, identity: str, expected: str) -> None:
        super().__init__(path, f"belongs to another run: {identity!r}, while this is {expected!r}")


@dataclass(frozen=True, slots=True)
class Writers:
    """The servers that save together: how many, how many of them may lie, and their quorum."""

    servers: int
    byzantine_servers: int
    server_quorum: int

    @classmethod
    def of(cls, cluster: Cluster) -> "Writers":
        """The servers of a cluster."""
        return cls(cluster.servers, cluster.byzantine_servers, cluster.server_quorum)


@dataclass(frozen=True, slots=True)
class Header:
    """What a checkpoint says about itself; each field is an attribute of the file."""

    step: int
    server: int
    identity: str
    servers: int
    byzantine_servers: int
    server_quorum: int
    guanyu_mpi_version: str = __version__
    numpy_version: str = np.__version__
    h5py_version: str = h5py.__version__

    @property
    def writers(self) -> Writers:
        """The servers that this one saved together with."""
        return Writers(self.servers, self.byzantine_servers, self.server_quorum)


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """One server's parameters after a step, shape (d,), and what the file says about them."""

    header: Header
    params: Vector


def write_file(path: Path, checkpoint: Checkpoint) -> None:
    """Write a file and force it to the disk; h5py's faults pass through."""
    header, params = checkpoint.header, np.ascontiguousarray(checkpoint.params, _STORED)
    # Parallel file systems often refuse locks, and each file has one writer and its own name.
    with h5py.File(path, "w", locking=False) as file:
        file.create_dataset("params", data=params)
        file.attrs["format"] = np.bytes_(FORMAT.encode("ascii"))
        for name, value in asdict(header).items():
            number = isinstance(value, int)
            file.attrs[name] = np.int64(value) if number else np.bytes_(value.encode("ascii"))
        file.attrs["sha256"] = np.bytes_(digest(checkpoint).encode("ascii"))
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_file(path: Path, dimension: int | None = None, identity: str | None = None) -> Checkpoint:
    """Read a file whose every byte may be wrong; FileError says what is.

    Nothing is allocated before the shape is known to be `dimension`, or, where the caller cannot
    know it, to be no larger than the file.
    """
    with _faults_named(path), _opened(path) as file:
        header, claimed = _header(file)
        dataset = _dataset(file, path.stat().st_size)
        foreign = identity is not None and header.identity != identity
        if dimension not in (None, dataset.shape[0]):
            if foreign:
                raise ForeignError(path, header.identity, str(identity))
            raise ValueError(f"holds {dataset.shape[0]} params, while the model has {dimension}")
        params = np.empty(dataset.shape, _STORED)
        dataset.read_direct(params)
        checkpoint = Checkpoint(header, params.astype(np.float32, copy=False))
        if digest(checkpoint) != claimed:
            raise ValueError(
                "its contents do not match its sha256: the file was damaged or edited"
            )
        if not np.isfinite(params).all():
            raise ValueError("its params are not finite")
        if foreign:
            raise ForeignError(path, header.identity, str(identity))
    return checkpoint


def digest(checkpoint: Checkpoint) -> str:
    """SHA-256 over every attribute and then the params' little-endian bytes, in hexadecimal."""
    attributes = {"format": FORMAT, **asdict(checkpoint.header)}
    sha256 = hashlib.sha256(json.dumps(attributes, sort_keys=True).encode() + b"\n")
    sha256.update(np.ascontiguousarray(checkpoint.params, _STORED).data)
    return sha256.hexdigest()


def cause(fault: Exception) -> str:
    """What went wrong, in a few words: h5py adds addresses of buffers, and the path once more."""
    if isinstance(fault, OSError) and fault.errno:
        return os.strerror(fault.errno)
    return (str(fault).strip("'\"") or type(fault).__name__).splitlines()[0]


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """Turn whatever reading raises into a FileError that names the file."""
    try:
        yield
    except FileError:
        raise
    # libhdf5's faults arrive as OSError, KeyError, RuntimeError, TypeError, ...: by no fixed list.
    except Exception as fault:
        raise FileError(path, cause(fault)) from fault


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    # A pipe would block us for good, and a link would let one file count for two servers.
    for place in (path.parent, path):
        if stat.S_ISLNK(place.lstat().st_mode):
            raise ValueError(f"{place.name} is a symbolic link")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError("not a regular file")
    with h5py.File(path, "r", locking=False) as file:
        yield file


def _header(file: h5py.File) -> tuple[Header, str]:
    """The header and the digest that the file claims."""
    known = {field.name: field.type for field in fields(Header)}
    expected = {"format", "sha256", *known}
    if h5py.h5a.get_num_attrs(file.id) != len(expected):
        raise ValueError("not a checkpoint: its attributes are not those of one")
    if (found := _text(file, "format")) != FORMAT:
        raise ValueError(f"its format is {found!r}, while this program reads {FORMAT!r}")
    numbers = {name: _number(file, name) for name, kind in known.items() if kind is int}
    texts = {name: _text(file, name) for name, kind in known.items() if kind is str}
    header = Header(**numbers, **texts)  # type: ignore[arg-type]  # by each field's declared type
    if not 0 <= header.server < header.servers:
        raise ValueError(f"server {header.server} of {header.servers} servers does not exist")
    if not 0 <= header.byzantine_servers < header.server_quorum <= header.servers:
        raise ValueError(f"its numbers of servers contradict each other: {header.writers}")
    return header, _text(file, "sha256")


def _number(file: h5py.File, name: str) -> int:
    attribute = file.attrs.get_id(name)
    if attribute.shape != () or attribute.dtype != np.dtype("<i8"):
        raise ValueError(f"its attribute {name} is not one 64-bit number")
    return int(file.attrs[name])


def _text(file: h5py.File, name: str) -> str:
    attribute = file.attrs.get_id(name)
    if attribute.shape != () or attribute.dtype.kind != "S" or attribute.dtype.itemsize > TEXT_MAX:
        raise ValueError(f"its attribute {name} is not a text of at most {TEXT_MAX} characters")
    return bytes(file.attrs[name]).decode("ascii")


def _dataset(file: h5py.File, size_bytes: int) -> h5py.Dataset:
    """The params, not yet read: the only object of the file, contiguous, and inside it."""
    if len(file) != 1 or file.id.links.get_info(b"params").type != h5py.h5l.TYPE_HARD:
        raise ValueError("not a checkpoint: it has more or other objects than params")
    dataset = file["params"]
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != _STORED or dataset.ndim != 1:
        raise ValueError("its params are not a vector of float32")
    layout = dataset.id.get_create_plist()
    if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count():
        raise ValueError("its params are not contiguous in the file itself")
    start = dataset.id.get_offset()
    if start is None or start + dataset.shape[0] * _STORED.itemsize > size_bytes:
        raise ValueError("its params lie outside the file")
    return dataset
