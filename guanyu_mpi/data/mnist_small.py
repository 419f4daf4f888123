"""mnist-small: the tenth of MNIST that ships in the package, with MNIST's share of each digit."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from guanyu_mpi.data.mnist import MNIST, read_idx, read_mnist
from guanyu_mpi.data.recipe import Chunk, Recipe
from guanyu_mpi.data.split import Bytes, Indices


def stratified(labels: Bytes, count: int, name: str) -> Indices:
    """Indices, ascending, of `count` random examples with each label's share of the whole.

    Labels get the whole part of their share, and those with the largest remainders one more.
    Examples are chosen by the hash of `name` and their index, lowest first, which no release of a
    random generator can change.
    """
    sizes = np.bincount(labels)
    shares = sizes * count / labels.size
    quotas = np.floor(shares).astype(np.int64)
    largest = np.argsort(quotas - shares, kind="stable")
    quotas[largest[: count - quotas.sum()]] += 1
    chosen = [
        sorted(np.flatnonzero(labels == label), key=lambda index: _lot(name, int(index)))[:quota]
        for label, quota in enumerate(quotas)
    ]
    return np.array(sorted(itertools.chain(*chosen)), np.int64)


def _lot(name: str, index: int) -> bytes:
    return hashlib.sha256(f"{name}/{index}".encode()).digest()


def read_mnist_small(recipe: Recipe, paths: Sequence[Path]) -> Iterator[Chunk]:
    """Chunks of what is chosen of MNIST; the paths are MNIST's."""
    labels = {
        "train": np.concatenate(list(read_idx(paths[1], (MNIST.num_train,)))),
        "test": np.concatenate(list(read_idx(paths[3], (MNIST.num_test,)))),
    }
    counts = {"train": recipe.num_train, "test": recipe.num_test}
    chosen = {
        split: stratified(labels[split], counts[split], f"mnist-small/{split}") for split in labels
    }
    taken = {"train": 0, "test": 0}
    for chunk in read_mnist(MNIST, paths):
        rows = chosen[chunk.split] - chunk.start
        rows = rows[(rows >= 0) & (rows < len(chunk.labels))]
        yield Chunk(chunk.split, taken[chunk.split], chunk.images[rows], chunk.labels[rows])
        taken[chunk.split] += len(rows)


MNIST_SMALL = replace(
    MNIST,
    name="mnist-small",
    num_train=6_000,
    num_test=1_000,
    compressed=True,
    read=read_mnist_small,
)
