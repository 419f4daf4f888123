"""The average: what plain SGD uses, and what a single Byzantine vector moves anywhere."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.points import Points


def average(points: Points[Row], f: int) -> Row:  # noqa: ARG001 - every rule takes f; this one ignores it
    """Mean of all vectors, (n, d) -> (d,). Tolerates no Byzantine vector, whatever f says.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 2.0, 3.0], [3.0, 6.0, 3.0], [5.0, 1.0, 0.0]])
    >>> bind("average", n=3, f=0)(vectors).tolist()
    [3.0, 3.0, 2.0]
    """
    return points.mean(np.arange(len(points)))
