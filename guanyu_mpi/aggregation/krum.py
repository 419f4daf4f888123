"""Krum and Multi-Krum: the vectors that lie closest to most others."""

import math

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Indices, Row
from guanyu_mpi.aggregation.points import Points


def krum(points: Points[Row], f: int) -> Row:
    """The vector of least score, (n, d) -> (d,); of equal scores the first one.

    Blanchard et al., NeurIPS 2017, section 4. Requires n >= 2f + 3.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    >>> bind("krum", n=3, f=0)(vectors).tolist()
    [1.0, 0.0, 0.0]
    """
    return points.mean(krum_selection(points.squared, f, m=1))


def multi_krum(points: Points[Row], f: int, m: int | None = None) -> Row:
    """Mean of the m vectors of least score, by default of n - f - 2; (n, d) -> (d,).

    Blanchard et al., NeurIPS 2017, section 4. Requires n >= 2f + 3 and 1 <= m <= n - f - 2.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0], [2.0], [2.5], [4.0], [90.0]])
    >>> bind("multi-krum", n=5, f=1)(vectors).tolist()
    [2.25]
    """
    neighbours = len(points) - f - 2
    return points.mean(krum_selection(points.squared, f, neighbours if m is None else m))


def krum_selection(squared: Float64s, f: int, m: int) -> Indices:
    """The m of n vectors of least score, (n, n) -> (m,), in ascending order.

    >>> points = np.array([[1.0], [2.0], [2.5], [4.0], [90.0]])
    >>> krum_selection((points - points.T) ** 2, f=1, m=2).tolist()
    [1, 2]
    """
    # A stable sort: of equal scores the lower row comes first.
    return np.sort(np.argsort(krum_scores(squared, f), kind="stable")[:m])


def krum_scores(squared: Float64s, f: int) -> Float64s:
    """Sum of squared distances from each vector to its n - f - 2 nearest others, (n, n) -> (n,).

    Blanchard et al., NeurIPS 2017, section 4. Requires n >= 2f + 3.

    >>> points = np.array([[1.0], [2.0], [2.5], [4.0], [90.0]])
    >>> krum_scores((points - points.T) ** 2, f=1).tolist()
    [3.25, 1.25, 2.5, 6.25, 15052.25]
    """
    n = len(squared)
    others = squared[~np.eye(n, dtype=np.bool_)].reshape(n, n - 1)
    scores_n: Float64s = np.sort(others, axis=1)[:, : n - f - 2].sum(axis=1)
    return scores_n


def krum_eta(n: int, f: int) -> float:
    """eta(n, f): Krum is resilient while eta sqrt(d) sigma < ||gradient||.

    Blanchard et al., NeurIPS 2017, proposition 1. Requires n > 2f + 2.

    >>> round(krum_eta(18, 5), 2)
    12.01
    """
    return math.sqrt(2 * (n - f + (f * (n - f - 2) + f**2 * (n - f - 1)) / (n - 2 * f - 2)))


def m_fault(m: object, n: int, f: int) -> str:
    """What is wrong with Multi-Krum's m, in the user's words; empty if nothing is.

    >>> m_fault(5, n=7, f=2)
    'm = 5 is out of bounds: needs 1 <= m <= n - f - 2 = 3'
    """
    if not isinstance(m, int) or isinstance(m, bool):
        return f"m = {m!r} is not a whole number"
    if not 1 <= m <= n - f - 2:
        return f"m = {m} is out of bounds: needs 1 <= m <= n - f - 2 = {n - f - 2}"
    return ""
