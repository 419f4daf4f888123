"""The coordinate-wise median: the contraction of GuanYu's servers."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Array
from guanyu_mpi.aggregation.ranks import ranked_blocks


def median(vectors: Array, f: int) -> Array:  # noqa: ARG001 - every rule takes f; here it bounds n only
    """Median of every coordinate, the mean of the two middle values if n is even; (n, d) -> (d,).

    With n >= 2f + 1 every coordinate lies between two honest ones. Yin et al., ICML 2018.

    >>> median(np.array([[1.0, 5.0], [2.0, 7.0], [90.0, -90.0]]), f=1).tolist()
    [2.0, 5.0]
    >>> median(np.array([[1.0], [2.0], [4.0], [90.0]]), f=1).tolist()
    [3.0]
    """
    n, d = vectors.shape
    result = np.empty_like(vectors, shape=d)
    middle = [n // 2] if n % 2 else [n // 2 - 1, n // 2]
    for columns, ranked in ranked_blocks(vectors, middle):
        if n % 2:
            result[columns] = ranked[0]
        else:
            _midpoint_into(result[columns], *ranked)
    return result


def _midpoint_into(out: Array, low: Array, high: Array) -> None:
    """Write the correctly rounded mean of two values, for all finite values."""
    with np.errstate(over="ignore"):
        np.add(low, high, out=out)
    np.multiply(out, 0.5, out=out)
    if not np.isfinite(out).all():
        # The sum overflowed. Halving first is exact there, though not for the tiniest values.
        overflowed = ~np.isfinite(out)
        out[overflowed] = low[overflowed] * 0.5 + high[overflowed] * 0.5
