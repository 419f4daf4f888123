"""The coordinate-wise median: the contraction of GuanYu's servers."""

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.points import Points


def median(points: Points[Row], f: int) -> Row:  # noqa: ARG001 - every rule takes f; here it bounds n only
    """Median of every coordinate, the mean of the two middle values if n is even; (n, d) -> (d,).

    With n >= 2f + 1 every coordinate lies between two honest ones. Yin et al., ICML 2018.

    >>> import numpy as np
    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [2.0, 7.0, 0.5], [90.0, -90.0, 90.0]])
    >>> bind("median", n=3, f=1)(vectors).tolist()
    [2.0, 5.0, 0.5]
    """
    return points.median()
