"""MNIST: handwritten digits, 60,000 + 10,000 grey images of 28 x 28, four gzipped idx files."""

import gzip
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

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
from guanyu_mpi.data.split import Bytes
from guanyu_mpi.errors import DataError


def read_mnist(recipe: Recipe, paths: Sequence[Path]) -> Iterator[Chunk]:
    """Chunks of the training split, then of the test split."""
    train_images, train_labels, test_images, test_labels = paths
    for split, images, labels, count in (
        ("train", train_images, train_labels, recipe.num_train),
        ("test", test_images, test_labels, recipe.num_test),
    ):
        blocks = zip(
            read_idx(images, (count, *recipe.image_shape[1:])),
            read_idx(labels, (count,)),
            strict=True,
        )
        for number, (image_block, label_block) in enumerate(blocks):
            check_labels(label_block, 10, labels)
            yield Chunk(split, number * BLOCK, image_block[:, np.newaxis], label_block)


def read_idx(path: Path, shape: tuple[int, ...]) -> Iterator[Bytes]:
    """Blocks of the records of a gzipped idx file, which must hold bytes of this shape."""
    with readable(path), gzip.open(path) as opened:
        file = cast(BinaryIO, opened)
        header = read_exactly(file, 4 + 4 * len(shape), path)
        # Two zeros, 8 for "bytes", the number of dimensions, then each of them.
        if header != struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape):
            raise DataError(
                f"{path} begins with {header.hex()}: not an idx file of bytes of shape {shape}"
            )
        for start in range(0, shape[0], BLOCK):
            block = (min(BLOCK, shape[0] - start), *shape[1:])
            data = read_exactly(file, int(np.prod(block)), path)
            yield np.frombuffer(data, np.uint8).reshape(block)
        if file.read(1):
            raise DataError(f"{path} goes on after the {shape[0]} records of its header")


MNIST = Recipe(
    name="mnist",
    image_shape=(1, 28, 28),
    num_train=60_000,
    num_test=10_000,
    files=(
        OfficialFile("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        OfficialFile("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        OfficialFile("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        OfficialFile("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    unpacked=(),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    compressed=False,
    read=read_mnist,
)
