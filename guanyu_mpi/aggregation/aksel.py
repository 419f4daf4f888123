"""Aksel: the mean of the vectors nearest the coordinate-wise median."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.points import Points


def aksel(points: Points[Row], f: int, m: int | None = None) -> Row:  # noqa: ARG001 - f bounds n and m
    """Mean of the m vectors nearest (L2) the coordinate-wise median, (n, d) -> (d,).

    By default of (n + 1) // 2; of equal distances the first ones. Boussetta, El-Mhamdi, Guerraoui,
    Maurer, Rouault, OPODIS 2021. Requires n >= 2f + 1 and 1 <= m <= n - f.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [2.0, 7.0, 0.5], [90.0, -90.0, 90.0]])
    >>> bind("aksel", n=3, f=1)(vectors).tolist()
    [1.5, 6.0, 0.25]
    """
    away = points.squared_distances_to(points.median())
    m = (len(points) + 1) // 2 if m is None else m
    return points.mean(np.sort(np.argsort(away, kind="stable")[:m]))


def nearest_fault(m: object, n: int, f: int) -> str:
    """What is wrong with Aksel's m, in the user's words; empty if nothing is.

    >>> nearest_fault(6, n=7, f=2)
    'm = 6 is out of bounds: needs 1 <= m <= n - f = 5'
    """
    if not isinstance(m, int) or isinstance(m, bool):
        return f"m = {m!r} is not a whole number"
    if not 1 <= m <= n - f:
        return f"m = {m} is out of bounds: needs 1 <= m <= n - f = {n - f}"
    return ""
