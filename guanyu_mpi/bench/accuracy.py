"""How exact squared distances are where it is hard: between vectors that are long and close."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s
from guanyu_mpi.aggregation.kernels import Kernels
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.messages import Vector
from guanyu_mpi.seeds import stream

SPREAD = 1e-3


def distance_error(n: int, d: int, kernels: Kernels[Vector]) -> float:
    """Worst relative error of squared distances (n, n) against differences in float64.

    The vectors are SPREAD apart for every unit of their common mean, as parameters are.
    """
    random = stream(0, "bench", "accuracy")
    vectors = random.standard_normal((n, d), dtype=np.float32)
    vectors *= np.float32(SPREAD)
    vectors += random.standard_normal(d, dtype=np.float32)
    found = Points(list(vectors), kernels).squared
    expected = _explicit(vectors)
    pairs = np.triu_indices(n, 1)
    return float(np.max(np.abs(found - expected)[pairs] / expected[pairs], initial=0))


def _explicit(vectors: Vector) -> Float64s:
    """Squared distances (n, n) from the differences of all pairs."""
    n = len(vectors)
    squared = np.zeros((n, n))
    for i in range(n):
        wide = vectors[i].astype(np.float64)
        for j in range(i):
            difference = wide - vectors[j]
            squared[i, j] = squared[j, i] = difference @ difference
    return squared
