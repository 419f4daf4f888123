"""Inner products in float64, in an order of additions that every implementation keeps.

Columns are cut into blocks of 2048. In a block, lane l of 32 adds up the products of columns l,
l + 32, l + 64, ..., one after another; then the upper half of the lanes is added to the lower one,
five times; then the block's sum is added to the total. A last block that is not full ends in
zeros. So a product depends on its two rows and on nothing else: not on which other rows there are,
nor on the width of the machine's vectors.

Products of float32 are exact in float64, and their sums good to 15 digits: squared distances from
them keep 7 digits unless the rows are some 10,000 times longer than they are far apart.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from guanyu_mpi.aggregation.arrays import Array, Float64s, blocks

BLOCK = 2048
LANES = 32
# Columns per call: the products of one row with all others stay in the L2 cache.
_WIDTH = 4 * BLOCK


def dots(few: Sequence[Array], rows: Sequence[Array]) -> Float64s:
    """Inner products of each of m rows (d,) with each of k rows, shape (m, k) float64.

    >>> dots([np.array([1.0, 2.0])], [np.array([3.0, 4.0]), np.array([0.0, 1.0])]).tolist()
    [[11.0, 2.0]]
    """
    sums = np.zeros((len(few), len(rows)))
    for others, block in zip(_widened(rows, None), _widened(few, None), strict=True):
        for row_sums, row in zip(sums, block, strict=True):
            _add_block_sums(row_sums, others, row)
    return sums


def products(rows: Sequence[Array], centre: Array | None = None) -> Float64s:
    """Inner products of all pairs of n rows, each minus the centre if there is one, (n, n).

    >>> products(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[5.0, 11.0], [11.0, 25.0]]
    """
    n = len(rows)
    lower = np.zeros((n, n))
    for block in _widened(rows, centre):
        for k in range(n):
            _add_block_sums(lower[k, : k + 1], block[: k + 1], block[k])
    return np.tril(lower) + np.tril(lower, -1).T


def _widened(rows: Sequence[Array], centre: Array | None) -> Iterator[Float64s]:
    """The rows in float64, minus the centre, in groups of blocks padded with zeros."""
    d = len(rows[0])
    width = min(_WIDTH, max(1, -(-d // BLOCK)) * BLOCK)
    wide = np.zeros((len(rows), width))
    for columns in blocks(d, width):
        size = columns.stop - columns.start
        for target, row in zip(wide, rows, strict=True):
            if centre is None:
                target[:size] = row[columns]
            else:
                np.subtract(row[columns], centre[columns], out=target[:size], dtype=np.float64)
        wide[:, size:] = 0
        yield wide


def _add_block_sums(sums: Float64s, rows: Float64s, row: Float64s) -> None:
    """Add to sums (k,) the inner products of a row (w,) with rows (k, w), block after block."""
    k = len(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        terms = (rows * row).reshape(k, -1, BLOCK // LANES, LANES)
        lanes = np.add.reduce(terms, axis=2)
        half = LANES // 2
        while half:
            lanes = lanes[:, :, :half] + lanes[:, :, half : 2 * half]
            half //= 2
        for block in range(lanes.shape[1]):
            sums += lanes[:, block, 0]
