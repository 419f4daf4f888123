"""Comparative gradient elimination: the mean without the longest vectors."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.points import Points


def cge(points: Points[Row], f: int) -> Row:
    """Mean of the n - f vectors of least L2 norm, of equal norms the first ones; (n, d) -> (d,).

    Gupta, Liu, Vaidya, "Byzantine fault-tolerant distributed machine learning using stochastic
    gradient descent (SGD) and norm-based comparative gradient elimination (CGE)", 2021. Requires
    n >= 2f + 1. It is for gradients: a norm depends on where the origin is.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [2.0, 7.0, 0.5], [90.0, -90.0, 90.0]])
    >>> bind("cge", n=3, f=1)(vectors).tolist()
    [1.5, 6.0, 0.25]
    """
    shortest = np.argsort(points.lengths, kind="stable")[: len(points) - f]
    return points.mean(np.sort(shortest))
