"""Bulyan: averages that Multi-Krum selects, and of their coordinates those near the median."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Row
from guanyu_mpi.aggregation.points import Points


def bulyan(points: Points[Row], f: int) -> Row:
    """Coordinate-wise mean of the n - 4f - 2 values nearest the median of n - 2f - 2 averages.

    The averages are Multi-Krum's, taken while the best vector is removed again and again; see
    `bulyan_mixing`. (n, d) -> (d,). El-Mhamdi, Guerraoui, Rouault, ICML 2018, over Multi-Krum as
    in AggregaThor (Damaskinos et al., SysML 2019). Requires n >= 4f + 3.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    >>> bind("bulyan", n=3, f=0)(vectors).tolist()
    [1.0, 0.0, 0.0]
    """
    averages = points.mixed(bulyan_mixing(points.squared, f))
    return averages.nearest_mean(keep=len(points) - 4 * f - 2)


def bulyan_mixing(squared: Float64s, f: int) -> Float64s:
    """Weights (t, n) of the t = n - 2f - 2 averages, from squared distances (n, n).

    With m = n - f - 2 a score is the sum of the m least distances to others. Average k = 0, 1, ...
    is that of the m - k vectors of least score among those left; then the best one is removed, and
    its distance leaves the score of whoever counted it. Of equal scores the first one is better.

    >>> points = np.array([[0.0], [1.0], [3.0], [7.0], [8.0], [9.0], [90.0]])
    >>> (bulyan_mixing((points - points.T) ** 2, f=1) > 0).astype(int).tolist()
    [[0, 1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 0], [0, 1, 0, 0, 1, 0, 0]]
    """
    n = len(squared)
    m, rounds = n - f - 2, n - 2 * f - 2
    nearest = np.argsort(np.where(np.eye(n), np.inf, squared), axis=1, kind="stable")[:, :m]
    counted = np.take_along_axis(squared, nearest, axis=1)
    removed = np.zeros(n, dtype=np.bool_)
    mixing = np.zeros((rounds, n))
    for k in range(rounds):
        # Summed anew: subtracting an enormous distance would leave its rounding error as score.
        scores = np.where(removed, np.inf, counted.sum(axis=1))
        order = np.argsort(scores, kind="stable")
        mixing[k, order[: m - k]] = 1 / (m - k)
        removed[order[0]] = True
        counted[nearest == order[0]] = 0
    return mixing
