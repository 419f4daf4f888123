"""The average: what plain SGD uses, and what a single Byzantine vector moves anywhere."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Array, Rows, blocks

# The running sum of a block stays in the L2 cache while the rows pass by.
_BLOCK = 1 << 16


def average(vectors: Array, f: int) -> Array:  # noqa: ARG001 - every rule takes f; this one ignores it
    """Mean of all vectors, shape (n, d) -> (d,). Tolerates no Byzantine vector, whatever f says.

    >>> average(np.array([[1.0, 2.0], [3.0, 6.0]]), f=0).tolist()
    [2.0, 4.0]
    """
    return mean_of(vectors, np.arange(len(vectors)))


def mean_of(vectors: Array, rows: Rows) -> Array:
    """Mean of some of the rows, (n, d) and (m,) -> (d,); finite if they are.

    >>> mean_of(np.array([[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]), np.array([0, 1])).tolist()
    [2.0, 4.0]
    """
    mean: Array = np.empty_like(vectors, shape=vectors.shape[1])
    for columns in blocks(len(mean), _BLOCK):
        _mean_into(mean[columns], vectors[:, columns], rows)
    return mean


def _mean_into(out: Array, vectors: Array, rows: Rows) -> None:
    """Write the mean of some rows of a block."""
    with np.errstate(over="ignore", invalid="ignore"):
        out[...] = vectors[rows[0]]
        for row in rows[1:]:
            np.add(out, vectors[row], out=out)
        np.divide(out, len(rows), out=out)
    if np.isfinite(out).all():
        return
    # The sum overflowed though the mean cannot: divide first, which is slower and rounds oftener,
    # even beyond the largest number.
    largest = np.finfo(out.dtype).max
    out[...] = 0
    for row in rows:
        with np.errstate(over="ignore"):
            np.add(out, vectors[row] / len(rows), out=out)
    np.clip(out, -largest, largest, out=out)
