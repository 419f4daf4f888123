"""How a data set is made: which official files, where they are, and how they are read."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from guanyu_mpi.data.split import Bytes
from guanyu_mpi.errors import DataError

# Records read at once: 3 MB of CIFAR-10.
BLOCK = 1000


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """A file as its authors publish it."""

    name: str
    md5: str


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive examples of one split ("train" or "test"), from `start` on.

    images (m, C, H, W), labels (m,).
    """

    split: str
    start: int
    images: Bytes
    labels: Bytes


@dataclass(frozen=True, slots=True)
class Recipe:
    """A data set's shape, its official files, and the reader that turns them into chunks."""

    name: str
    image_shape: tuple[int, int, int]
    num_train: int
    num_test: int
    files: tuple[OfficialFile, ...]
    # What the official archive contains, where there is one: taken from a directory as well.
    unpacked: tuple[str, ...]
    mirrors: tuple[str, ...]
    # Small sets are compressed and read into memory; large ones are plain, so that ranks on one
    # machine map the same pages.
    compressed: bool
    read: Callable[[Recipe, Sequence[Path]], Iterator[Chunk]]

    def locate(self, source: Path) -> tuple[Path, ...]:
        """The files in a directory, or the one archive itself, in the order of the recipe."""
        if source.is_file() and len(self.files) == 1:
            return (source,)
        official = [source / file.name for file in self.files]
        unpacked = [source / name for name in self.unpacked]
        for paths in (official, unpacked):
            if paths and all(path.is_file() for path in paths):
                return tuple(paths)
        missing = [path.name for path in official if not path.is_file()]
        kind = "directory" if source.exists() else "existing directory"
        raise DataError(f"{source} is no {kind} with {', '.join(missing)} of {self.name!r}")


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests of one file, in hexadecimal."""

    md5: str
    sha256: str


def digests(path: Path) -> Digests:
    """Digests of a file, read in blocks."""
    # The md5 sums are what the authors publish; nothing here depends on their strength.
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with readable(path), path.open("rb") as file:
        while block := file.read(1 << 20):
            md5.update(block)
            sha256.update(block)
    return Digests(md5.hexdigest(), sha256.hexdigest())


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever reading a damaged file raises into an error that names the file."""
    try:
        yield
    # A header of an archive can hold any text in place of a number.
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{path} is damaged or truncated: {error}") from error


def read_exactly(file: BinaryIO, size_bytes: int, path: Path) -> bytes:
    """The next bytes of a file that must have them."""
    data = file.read(size_bytes)
    if len(data) < size_bytes:
        raise DataError(f"{path} is truncated: it ends where {size_bytes - len(data)} bytes miss")
    return data


def check_labels(labels: Bytes, classes: int, path: Path) -> None:
    """Refuse labels beyond the classes: the file is then of another kind."""
    if labels.size and labels.max() >= classes:
        raise DataError(f"{path} has label {labels.max()}: must be below {classes}")
