"""The rules as the papers write them, in float64 and without regard to speed."""

from itertools import permutations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Vectors: TypeAlias = Float32s | Float64s


def order_statistic(vectors: Vectors, rank: int) -> Float64s:
    ordered: Float64s = np.sort(vectors.astype(np.float64), axis=0)[rank]
    return ordered


def median(vectors: Vectors) -> Float64s:
    n = len(vectors)
    return (order_statistic(vectors, (n - 1) // 2) + order_statistic(vectors, n // 2)) / 2


def squared_distances(vectors: Vectors) -> Float64s:
    rows = vectors.astype(np.float64)
    squared = np.zeros((len(rows), len(rows)))
    for i, j in permutations(range(len(rows)), 2):
        difference = rows[i] - rows[j]
        squared[i, j] = difference @ difference
    return squared


def krum_scores(vectors: Vectors, f: int) -> list[float]:
    squared, n = squared_distances(vectors), len(vectors)
    return [sum(sorted(squared[i, j] for j in range(n) if j != i)[: n - f - 2]) for i in range(n)]


def krum_order(vectors: Vectors, f: int) -> list[int]:
    scores = krum_scores(vectors, f)
    return sorted(range(len(scores)), key=scores.__getitem__)


def multi_krum(vectors: Vectors, f: int, m: int) -> Float64s:
    chosen = krum_order(vectors, f)[:m]
    mean: Float64s = vectors[chosen].astype(np.float64).mean(axis=0)
    return mean


def worst_relative_error(measured: Float64s, truth: Float64s) -> float:
    """Over all pairs that differ; pairs at distance zero must be so exactly."""
    apart = truth > 0
    if measured[~apart].any():
        return np.inf
    return float((np.abs(measured - truth)[apart] / truth[apart]).max(initial=0.0))
