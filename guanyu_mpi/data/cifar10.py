"""CIFAR-10: 50,000 + 10,000 colour images of 32 x 32 in ten classes, from the binary version.

The archive's version for Python is not read, because reading it would run code from a file.
"""

import gzip
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

import numpy as np

from guanyu_mpi.data.recipe import (
    BLOCK,
    Chunk,
    OfficialFile,
    Recipe,
    check_labels,
    read_exactly,
    readable,
)
from guanyu_mpi.errors import DataError

TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
# Bytes; the official archive has 184 million.
UNPACKED_MAX = 1 << 28


def read_cifar10(recipe: Recipe, paths: Sequence[Path]) -> Iterator[Chunk]:
    """Chunks in the order of the archive, or of the unpacked files."""
    if len(paths) == 1:
        yield from _read_archive(recipe, paths[0])
        return
    for path in paths:
        with readable(path), path.open("rb") as file:
            yield from _read_member(recipe, path.name, path.stat().st_size, file, path)


def _read_archive(recipe: Recipe, path: Path) -> Iterator[Chunk]:
    """Stream the archive; members are found by name and never written to disk."""
    missing = set(recipe.unpacked)
    # "r|" reads forward only; gzip.open checks the archive's own sum at the end.
    with (
        readable(path),
        gzip.open(path) as unzipped,
        tarfile.open(fileobj=cast(IO[bytes], _Bounded(unzipped)), mode="r|") as archive,
    ):
        for member in archive:
            name = PurePosixPath(member.name).name
            file = archive.extractfile(member) if name in recipe.unpacked else None
            if file is None:
                continue
            if name not in missing:
                raise DataError(f"{path} holds {name} twice")
            missing.remove(name)
            yield from _read_member(recipe, name, member.size, cast(BinaryIO, file), path)
        while unzipped.read(1 << 20):
            pass
    if missing:
        raise DataError(
            f"{path} holds no {', '.join(sorted(missing))}: "
            "the binary version of CIFAR-10 is needed (cifar-10-binary.tar.gz)"
        )


class _Bounded:
    """An unpacked archive, of which so much is read: tarfile keeps what its headers hold."""

    def __init__(self, unpacked: gzip.GzipFile) -> None:
        self._unpacked = unpacked
        self._left = UNPACKED_MAX

    def read(self, size_bytes: int) -> bytes:
        """The next bytes; raises OSError beyond the bound."""
        data = self._unpacked.read(size_bytes)
        self._left -= len(data)
        if self._left < 0:
            raise OSError(f"unpacked it has more than {UNPACKED_MAX} bytes")
        return data


def _read_member(
    recipe: Recipe, name: str, size_bytes: int, file: BinaryIO, path: Path
) -> Iterator[Chunk]:
    """Chunks of one file of records: a label byte, then the red, green and blue planes."""
    split, offset, count = _place(recipe, name)
    record_bytes = 1 + int(np.prod(recipe.image_shape))
    if size_bytes != count * record_bytes:
        raise DataError(
            f"{path}: {name} has {size_bytes} bytes, not the {count * record_bytes} of "
            f"{count} records"
        )
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        data = read_exactly(file, size * record_bytes, path)
        records = np.frombuffer(data, np.uint8).reshape(size, record_bytes)
        labels, images = records[:, 0], records[:, 1:].reshape(size, *recipe.image_shape)
        check_labels(labels, 10, path)
        yield Chunk(split, offset + start, images, labels)


def _place(recipe: Recipe, name: str) -> tuple[str, int, int]:
    """Split of a file, the index of its first record in it, and how many it has."""
    if name == TEST_FILE:
        return "test", 0, recipe.num_test
    count = recipe.num_train // len(TRAIN_FILES)
    return "train", TRAIN_FILES.index(name) * count, count


CIFAR10 = Recipe(
    name="cifar10",
    image_shape=(3, 32, 32),
    num_train=50_000,
    num_test=10_000,
    files=(OfficialFile("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),),
    unpacked=(*TRAIN_FILES, TEST_FILE),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    compressed=False,
    read=read_cifar10,
)
