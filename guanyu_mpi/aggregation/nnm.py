"""Nearest neighbour mixing: every vector becomes the mean of those around it."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.points import Points


def nnm(points: Points[Row], f: int) -> Points[Row]:
    """Each vector replaced by the mean of the n - f nearest to it, itself included.

    Of equal distances the first ones are nearer. Allouah et al., AISTATS 2023. Meant for
    n >= 2f + 1; `nnm_kappa` is what a rule gains by it.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [2.0, 7.0, 0.5], [90.0, -90.0, 90.0]])
    >>> bind("median", n=3, f=1, pre=["nnm"])(vectors).tolist()
    [1.5, 6.0, 0.25]
    """
    n = len(points)
    keep = max(1, n - f)
    nearest = np.argsort(points.squared, axis=1, kind="stable")[:, :keep]
    mixing = np.zeros((n, n))
    np.put_along_axis(mixing, nearest, 1 / keep, axis=1)
    return points.mixed(mixing)


def nnm_kappa(kappa: float, n: int, f: int) -> float:
    """The kappa of a rule after NNM, 8f / (n - f) (kappa + 1), from that of the rule alone.

    Allouah et al., AISTATS 2023. A kappa says that |F(x) - mean_S|^2 is at most kappa times the
    mean of |x_i - mean_S|^2 over i in S, for every S of n - f vectors.

    >>> nnm_kappa(9.0, n=9, f=1)
    10.0
    """
    return 8 * f / (n - f) * (kappa + 1)
