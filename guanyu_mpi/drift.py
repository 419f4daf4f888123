"""How far apart servers at the same step are, and whether along one line."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from guanyu_mpi.aggregation.distances import squared_distances
from guanyu_mpi.aggregation.kernels import default_kernels
from guanyu_mpi.messages import Vector

# What alignment is of differences in random directions that have a server in common, as the two
# largest mostly have; of those that have none it is 0.
UNALIGNED = 0.5
# Two models have one difference only.
DISTINCT_MIN = 3


def drift(models: Sequence[Vector]) -> float:
    """Largest difference of a coordinate between two of n models (d,); NaN without models."""
    if not models:
        return math.nan
    rows = np.stack(models)
    return float(np.max(rows.max(axis=0) - rows.min(axis=0)))


def alignment(models: Sequence[Vector]) -> float:
    """|cosine| of the angle between the two largest differences of n finite models (d,), in L2.

    What El-Mhamdi, Guerraoui, Guirguis (arXiv 1905.03853 v1) show in support of the assumption
    that medians contract: close to 1, servers drift along one line. Models that are equal count
    once, or one difference would be there twice; NaN where fewer than three are left.
    """
    squared = squared_distances(models, default_kernels()) if models else np.zeros((0, 0))
    distinct = [k for k in range(len(models)) if squared[k, :k].all()]
    if len(distinct) < DISTINCT_MIN:
        return math.nan
    pairs = sorted(combinations(distinct, 2), key=lambda pair: float(squared[pair]))
    one, other = (np.subtract(models[i], models[j], dtype=np.float64) for i, j in pairs[-2:])
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return min(float(abs(one @ other) / lengths), 1.0)
