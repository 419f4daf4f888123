"""Squared Euclidean distances between all pairs of vectors, accurate whatever a few rows hold.

|x - y|^2 = |x|^2 + |y|^2 - 2 <x, y> costs one matrix product, but loses all digits where x and y
are long and close: parameter vectors are. So the product is taken of the differences to one of the
rows, the centre. A centre far from the others, or a tight group far from the centre, brings the
loss back; the terms show where that happened, and there the distances are computed again.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.aggregation.arrays import Array, Mask, blocks

Distances: TypeAlias = npt.NDArray[np.float64]

# Relative error that is accepted in a squared distance.
_TOLERANCE = 1e-6
# Columns that are centred at a time, so that they are still in the L2 cache for the product.
_BLOCK = 1 << 14
# Columns whose products are summed in the vectors' type; longer sums are in float64. Differences
# of float32 parameters are small multiples of a rounding unit, which biases long float32 sums.
_CHUNK = 1 << 10
# Rows per product. OpenBLAS multiplies small matrices (up to 10^6 multiplications) two or three
# times faster than large ones of this shape, if the second is not the transpose of the first.
_GROUP = 8
# Columns on which the first centre is chosen.
_SAMPLE = 1 << 10


def squared_distances(vectors: Array) -> Distances:
    """Squared L2 distances of finite vectors, (n, d) -> (n, n) float64, never negative nor NaN.

    A vector so far from the others that its squared length overflows is at distance infinity.

    >>> squared_distances(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])).tolist()
    [[0.0, 25.0, 34.0], [25.0, 0.0, 1.0], [34.0, 1.0, 0.0]]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centre = vectors[_central(vectors)]
        squared, doubtful = _distances_around(centre, vectors, vectors.dtype)
        # A turn settles every pair of its centre, for a row minus itself is exactly zero: n turns
        # are enough. Each needs a Byzantine row, or a group of rows much closer than the rest.
        for _ in range(len(vectors)):
            if not doubtful.any():
                break
            row = int(doubtful.sum(axis=0).argmax())
            members = doubtful[row].copy()
            members[row] = True
            again, still = _distances_around(vectors[row], vectors, np.dtype(np.float64), members)
            pairs = np.ix_(members, members)
            squared[pairs] = np.where(doubtful[pairs], again, squared[pairs])
            doubtful[pairs] &= still
    return squared


def _central(vectors: Array) -> int:
    """Index of a row that has many others near it, judged on a few columns.

    Only a guess: an attacker who knows the columns can be that row, at the price of our time.
    """
    n, d = vectors.shape
    sample = vectors[:, :: max(1, d // _SAMPLE)].astype(np.float64)
    squared = _from_products(sample @ sample.T)
    return int(np.sort(squared, axis=1)[:, n // 2].argmin())


def _distances_around(
    centre: Array, vectors: Array, dtype: np.dtype[np.floating], members: Mask | None = None
) -> tuple[Distances, Mask]:
    """Squared distances (k, k) between the k member rows, and which of them are in doubt."""
    products = _centred_products(centre, vectors, dtype, members)
    squared = _from_products(products)
    lengths = products.diagonal()
    terms = lengths[:, None] + lengths
    info = np.finfo(dtype)
    doubtful = terms * float(info.eps) > _TOLERANCE * squared
    # Of two vectors that overflow, or nearly, the products do not say how close they are. Of one
    # that does and one that is well below, they say enough: the distance overflows as well.
    huge = lengths > float(info.max) / 1024
    doubtful |= huge[:, None] & huge
    if dtype == np.float32:
        # Squares below the least normal number lose digits; computed in float64 they do not.
        doubtful |= terms < len(centre) * float(info.tiny) / _TOLERANCE
    np.fill_diagonal(doubtful, False)
    return squared, doubtful


def _centred_products(
    centre: Array, vectors: Array, dtype: np.dtype[np.floating], members: Mask | None
) -> Distances:
    """Inner products (k, k) of the member rows, all if None, each minus the centre (d,)."""
    k = len(vectors) if members is None else int(np.count_nonzero(members))
    d = len(centre)
    width = min(_BLOCK, max(1, -(-d // _CHUNK)) * _CHUNK)
    group = min(_GROUP, (k + 1) // 2)
    products = np.zeros((k, k))
    centred = np.empty((k, width), dtype=dtype)
    chunks = centred.reshape(k, width // _CHUNK, _CHUNK).swapaxes(0, 1)
    for columns in blocks(d, width):
        block = vectors[:, columns] if members is None else vectors[members, columns]
        size = block.shape[1]
        np.subtract(block, centre[columns], out=centred[:, :size], dtype=dtype)
        centred[:, size:] = 0
        for first in range(0, k, group):
            rows = slice(first, first + group)
            partial = chunks[:, rows] @ chunks.swapaxes(1, 2)
            products[rows] += partial.sum(axis=0, dtype=np.float64)
    return (products + products.T) / 2


def _from_products(products: Distances) -> Distances:
    """Squared distances from inner products: at least zero, infinite where those overflowed."""
    lengths = products.diagonal()
    with np.errstate(over="ignore", invalid="ignore"):
        squared: Distances = np.maximum(lengths[:, None] + lengths - 2 * products, 0)
    squared[~np.isfinite(squared)] = np.inf
    np.fill_diagonal(squared, 0)
    return squared
