"""Krum and Multi-Krum: the vectors that lie closest to most others."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Array, Rows
from guanyu_mpi.aggregation.average import mean_of
from guanyu_mpi.aggregation.distances import Distances, squared_distances


def krum(vectors: Array, f: int) -> Array:
    """The vector of least score, (n, d) -> (d,); of equal scores the first row's.

    Blanchard et al., NeurIPS 2017, section 4. Requires n >= 2f + 3.

    >>> krum(np.array([[1.0], [2.0], [2.5], [4.0], [90.0]]), f=1).tolist()
    [2.0]
    """
    return mean_of(vectors, krum_selection(vectors, f, m=1))


def multi_krum(vectors: Array, f: int, m: int | None = None) -> Array:
    """Mean of the m vectors of least score, by default of n - f - 2; (n, d) -> (d,).

    Blanchard et al., NeurIPS 2017, section 4. Requires n >= 2f + 3 and 1 <= m <= n - f - 2.

    >>> multi_krum(np.array([[1.0], [2.0], [2.5], [4.0], [90.0]]), f=1).tolist()
    [2.25]
    """
    neighbours = len(vectors) - f - 2
    return mean_of(vectors, krum_selection(vectors, f, neighbours if m is None else m))


def krum_selection(vectors: Array, f: int, m: int) -> Rows:
    """The m rows of least score, in ascending order of rows, shape (m,).

    >>> krum_selection(np.array([[1.0], [2.0], [2.5], [4.0], [90.0]]), f=1, m=2).tolist()
    [1, 2]
    """
    scores_n = krum_scores(squared_distances(vectors), f)
    # A stable sort: of equal scores the lower row comes first.
    return np.sort(np.argsort(scores_n, kind="stable")[:m])


def krum_scores(squared: Distances, f: int) -> Distances:
    """Sum of squared distances from each vector to its n - f - 2 nearest others, (n, n) -> (n,).

    Blanchard et al., NeurIPS 2017, section 4. Requires n >= 2f + 3.

    >>> points = np.array([[1.0], [2.0], [2.5], [4.0], [90.0]])
    >>> krum_scores((points - points.T) ** 2, f=1).tolist()
    [3.25, 1.25, 2.5, 6.25, 15052.25]
    """
    n = len(squared)
    others = squared[~np.eye(n, dtype=np.bool_)].reshape(n, n - 1)
    scores_n: Distances = np.sort(others, axis=1)[:, : n - f - 2].sum(axis=1)
    return scores_n


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
