"""Order statistics of every column, by a selection network over blocks of columns."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from guanyu_mpi.aggregation.arrays import Array, blocks
from guanyu_mpi.aggregation.kernels.network import Comparator, selection_network

# Working rows of a block together: they stay in the caches near the core while the network passes.
_WORKING_BYTES = 1 << 21
# Narrower blocks cost more in calls than they save in cache misses.
_WIDTH_MIN, _WIDTH_MAX = 1 << 12, 1 << 15


def ranked_blocks(
    rows: Sequence[Array], ranks: Collection[int]
) -> Iterator[tuple[slice, list[Array]]]:
    """For each block of columns, its slice and the wanted order statistics, as `ranks` has them.

    Rank 0 is a column's least value. The rows must be finite: a NaN would replace both values of
    every comparison. What is handed out is read-only to the caller and holds until the next block.

    >>> [(columns, least.tolist()) for columns, (least,)
    ...     in ranked_blocks(np.array([[3.0, 1.0], [2.0, 5.0]]), [0])]
    [(slice(0, 2, None), [2.0, 1.0])]
    """
    n, d = len(rows), len(rows[0])
    network = selection_network(n, frozenset(ranks))
    width = _WORKING_BYTES // ((n + 1) * rows[0].itemsize)
    width = min(max(width, _WIDTH_MIN), _WIDTH_MAX)
    working = np.empty((n + 1, min(width, d)), dtype=rows[0].dtype)
    for columns in blocks(d, width):
        size = columns.stop - columns.start
        places = [row[columns] for row in rows]
        _run(network, places, [row[:size] for row in working])
        yield columns, [places[rank] for rank in ranks]


def _run(network: Sequence[Comparator], rows: list[Array], working: list[Array]) -> None:
    """Replace each place of `rows` that a comparator writes by a working row, one per place.

    The inputs themselves are only read: a place's first comparator moves it to a working row,
    which spares copying all of them first. The working row left over takes each minimum before the
    maximum overwrites one of its sources.
    """
    own, spare = working[:-1], working[-1]
    for first, second, writes_first, writes_second in network:
        low, high = rows[first], rows[second]
        if writes_first:
            np.minimum(low, high, out=spare)
        if writes_second:
            np.maximum(low, high, out=own[second])
            rows[second] = own[second]
        if writes_first:
            rows[first], own[first], spare = spare, spare, own[first]
