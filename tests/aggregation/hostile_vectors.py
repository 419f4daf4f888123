"""Vectors that rules get wrong, by name; each of shape (n, 6), the first f of them Byzantine."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.seeds import stream

Float64s: TypeAlias = npt.NDArray[np.float64]

D = 6


def normal(n: int, *path: str | int) -> Float64s:
    return stream(6, "hostile", n, *path).standard_normal((n, D))


def little(n: int, f: int) -> Float64s:
    vectors = normal(n, "little")
    vectors[:f] = vectors[f:].mean(axis=0) + 1.5 * vectors[f:].std(axis=0)
    return vectors


def shifted(n: int, f: int, by: float) -> Float64s:
    vectors = normal(n, "shifted")
    vectors[:f] += by
    return vectors


def duplicates(n: int, f: int) -> Float64s:
    vectors = normal(n, "duplicates")
    return vectors[np.arange(n) // 2]


def clusters(n: int, f: int) -> Float64s:
    centres = 5 * normal(3, "centres")
    return centres[np.arange(n) % 3] + 0.3 * normal(n, "clusters")


def one_row(n: int, f: int, value: float) -> Float64s:
    vectors = normal(n, "one row")
    vectors[0] = value
    return vectors


CASES: dict[str, Callable[[int, int], Float64s]] = {
    "random": lambda n, _: normal(n, "random"),
    "large common mean": lambda n, _: 1000 + normal(n, "mean"),
    "a little is enough": little,
    "attackers together": lambda n, f: shifted(n, f, 30.0),
    "attackers far away": lambda n, f: shifted(n, f, 1e6),
    "duplicates": duplicates,
    "clusters": clusters,
    "identical": lambda n, _: np.tile(normal(1, "identical"), (n, 1)),
    "one row of 1e30": lambda n, f: one_row(n, f, 1e30),
    "one row of 1e300": lambda n, f: one_row(n, f, 1e300),
}


def ties(n: int, *path: str | int) -> Float64s:
    """Whole numbers, so that distances are exact and many are equal."""
    return stream(6, "ties", n, *path).integers(0, 3, (n, 3)).astype(np.float64)


def lengths(vectors: Float64s) -> Float64s:
    """Norms, whatever the size of the entries."""
    largest = np.abs(vectors).max(axis=1, initial=1e-300, keepdims=True)
    norms: Float64s = np.sqrt(((vectors / largest) ** 2).sum(axis=1)) * largest[:, 0]
    return norms
