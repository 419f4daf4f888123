"""What the rules combine: arrays of vectors, their blocks of columns, and their unusable rows."""

from collections.abc import Iterator
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

# One type of array in, the same type out: vectors (n, d) -> vector (d,).
Array = TypeVar("Array", npt.NDArray[np.float32], npt.NDArray[np.float64])

Rows: TypeAlias = npt.NDArray[np.intp]
Mask: TypeAlias = npt.NDArray[np.bool_]


def blocks(d: int, width: int) -> Iterator[slice]:
    """Consecutive slices of at most `width` columns that together cover all d.

    >>> list(blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, d, width):
        yield slice(start, min(start + width, d))


def without_unusable(vectors: Array, f: int) -> tuple[Array, int]:
    """The finite rows, and how many of them may still be Byzantine.

    A row that holds a NaN or an infinity proves its sender Byzantine, so k such rows leave n - k
    rows of which f - k may be Byzantine. More than f of them, or no row left, is a ValueError: no
    rule can answer for that. Inside a job it does not happen, for the wire drops such messages.

    >>> without_unusable(np.array([[1.0], [np.nan], [3.0]]), f=1)
    (array([[1.],
           [3.]]), 0)
    """
    finite = _finite_rows(vectors)
    if finite.all():
        return vectors, f
    unusable = [int(row) for row in np.flatnonzero(~finite)]
    described = f"{len(unusable)} of {len(vectors)} vectors are not finite, rows {unusable}"
    if len(unusable) > f:
        raise ValueError(f"{described}: more than the f = {f} that may be Byzantine")
    if not finite.any():
        raise ValueError(f"{described}: no vector is left to combine")
    return vectors[finite], f - len(unusable)


def _finite_rows(vectors: Array) -> Mask:
    """Whether each row is all finite, shape (n,), at the price of one sum per row."""
    with np.errstate(over="ignore", invalid="ignore"):
        finite: Mask = np.isfinite(vectors.sum(axis=1))
    # A sum of finite values may overflow, but a sum with a NaN or an infinity is never finite.
    for row in np.flatnonzero(~finite):
        finite[row] = np.isfinite(vectors[row]).all()
    return finite
