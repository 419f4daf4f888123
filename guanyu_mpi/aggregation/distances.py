"""Squared Euclidean distances between all pairs of vectors, accurate whatever a few rows hold.

|x - y|^2 = |x|^2 + |y|^2 - 2 <x, y> costs one pass over the vectors, but loses all digits where x
and y are very long and close: parameters at the end of a training are. The terms show where that
happened, and there the products are taken again, of the differences to one of the rows.
"""

from collections.abc import Sequence

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Mask, Row
from guanyu_mpi.aggregation.kernels import Kernels

# Relative error that is accepted in a squared distance; they are that of float32 or better.
TOLERANCE = 1e-7
# Rounding errors of a sum of float64 products, as a multiple of one: it is made of short sums.
_ROUNDINGS = 16
# Distances whose squares overflow, or nearly, are all this; their sums are still finite.
UNREACHABLE = 1e290


def squared_distances(
    rows: Sequence[Row], kernels: Kernels[Row], products: Float64s | None = None
) -> Float64s:
    """Squared L2 distances of finite vectors, (n, d) -> (n, n) float64, from 0 to UNREACHABLE.

    `products` are the rows' inner products, if the caller has them already. The result is a pure
    function of the rows either way.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if products is None:
            products = kernels.products(rows)
        squared, doubtful = _from_products(products)
        # A turn settles every pair of its centre, for a row minus itself is exactly zero: n turns
        # are enough. Each needs a Byzantine row, or a group of rows much closer than the rest.
        for _ in range(len(rows)):
            if not doubtful.any():
                break
            centre = int(doubtful.sum(axis=0).argmax())
            members = np.flatnonzero(doubtful[centre] | (np.arange(len(rows)) == centre))
            chosen = [rows[int(k)] for k in members]
            again, still = _from_products(kernels.centred_products(chosen, rows[centre]))
            # Rounding errors are relative to the centred rows: a row at the centre has none.
            pairs = np.ix_(members, members)
            squared[pairs] = np.where(doubtful[pairs], again, squared[pairs])
            doubtful[pairs] &= still
            doubtful[centre] = doubtful[:, centre] = False
    return squared


def _from_products(products: Float64s) -> tuple[Float64s, Mask]:
    """Squared distances (k, k) from inner products, and which of them are in doubt."""
    lengths = products.diagonal()
    terms = lengths[:, None] + lengths
    squared = np.maximum(terms - 2 * products, 0)
    doubtful: Mask = terms * (_ROUNDINGS * np.finfo(np.float64).eps) > TOLERANCE * squared
    # Of two vectors that overflow, or nearly, the products do not say how close they are. Of one
    # that does and one that is well below, they say enough: the distance overflows as well.
    huge = ~(lengths < UNREACHABLE)
    squared[~(squared < UNREACHABLE) | huge[:, None] | huge] = UNREACHABLE
    doubtful = (doubtful & ~(huge[:, None] | huge)) | (huge[:, None] & huge)
    # Squares below the least normal number have lost digits, and nothing brings them back.
    doubtful &= terms > 0
    np.fill_diagonal(squared, 0)
    np.fill_diagonal(doubtful, False)
    return squared, doubtful
