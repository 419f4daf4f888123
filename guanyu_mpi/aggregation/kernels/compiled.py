"""The kernels in C, which installing the package builds where there is a C compiler."""

from collections.abc import Sequence

import numpy as np

from guanyu_mpi.aggregation.arrays import Array, Float64s, Mask, NonFiniteRowsError
from guanyu_mpi.aggregation.kernels.fallback import NumpyKernels
from guanyu_mpi.aggregation.kernels.native.generate import TILE
from guanyu_mpi.aggregation.kernels.native.library import Library, address, addresses, vectors
from guanyu_mpi.errors import InvariantError

# What functions report, see kernels.c: any fault is a reason to look for rows that are not
# finite, and this one to compute the result in another way if there is none.
_OVERFLOWED = 2


class CompiledKernels:
    """Kernels for float32, and inner products for float64; see interface.Kernels.

    OSError if they have not been built. `level` asks for less than the processor has.
    """

    name = "compiled"
    screens = True

    def __init__(self, level: str | None = None) -> None:
        self._library = Library(level)
        self._numpy = NumpyKernels()

    def finite(self, rows: Sequence[Array]) -> Mask:
        """At the price of one sum per row."""
        return self._numpy.finite(rows)

    def dots(self, few: Sequence[Array], rows: Sequence[Array]) -> Float64s:
        """In float64, in the order that sums.py fixes; a pass over the rows for each tile."""
        tiles = [few[start : start + TILE] for start in range(0, len(few), TILE)]
        return np.concatenate([self._dots(tile, rows) for tile in tiles])

    def products(self, rows: Sequence[Array]) -> Float64s:
        """In float64, in the order that sums.py fixes."""
        return self._products(_readable(rows), None)

    def centred_products(self, rows: Sequence[Array], centre: Array) -> Float64s:
        """In float64, in the order that sums.py fixes."""
        [centre] = _readable([centre], like=rows[0])
        return self._products(_readable(rows), centre)

    def ranked(self, rows: Sequence[Array], ranks: Sequence[int]) -> list[Array]:
        """By a selection network, unrolled if it is for the middle ranks of a few rows."""
        if not self._takes(rows):
            return self._screened(rows).ranked(rows, ranks)
        rows = _readable(rows)
        results = [np.empty_like(rows[0]) for _ in ranks]
        selection = self._library.selection(rows, ranks)
        if self._library.call("ranked", selection, addresses(results)):
            self._screen(rows)
        return results

    def median(self, rows: Sequence[Array]) -> Array:
        """By a selection network."""
        n = len(rows)
        if n % 2:
            return self.ranked(rows, [n // 2])[0]
        if not self._takes(rows):
            return self._screened(rows).median(rows)
        rows = _readable(rows)
        result = np.empty_like(rows[0])
        selection = self._library.selection(rows, [n // 2 - 1, n // 2])
        if self._library.call("middle_of_two", selection, address(result)):
            self._screen(rows)
        return result

    def trimmed_mean(self, rows: Sequence[Array], trim: int) -> Array:
        """Sum of the kept values from the least to the greatest, over their number."""
        if not self._takes(rows):
            return self._screened(rows).trimmed_mean(rows, trim)
        rows = _readable(rows)
        n = len(rows)
        result = np.empty_like(rows[0])
        selection = self._library.selection(rows, range(n))
        kept = (trim, n - 2 * trim)
        faults = self._library.call("mean_between", selection, *kept, address(result))
        if faults:
            self._screen(rows)
        return self._numpy.trimmed_mean(rows, trim) if faults & _OVERFLOWED else result

    def nearest_mean(self, rows: Sequence[Array], keep: int, trim: int | None) -> Array:
        """Sum of the kept values from the least to the greatest, over their number."""
        if not self._takes(rows):
            return self._screened(rows).nearest_mean(rows, keep, trim)
        rows = _readable(rows)
        result = np.empty_like(rows[0])
        selection = self._library.selection(rows, range(len(rows)))
        kept = (keep, -1 if trim is None else trim)
        faults = self._library.call("nearest_mean", selection, *kept, address(result))
        if faults:
            self._screen(rows)
        return self._numpy.nearest_mean(rows, keep, trim) if faults & _OVERFLOWED else result

    def combine(self, rows: Sequence[Array], weights: Float64s, divisor: int = 1) -> Array:
        """Products and sums in the rows' own type, one row after another."""
        used = [int(k) for k in np.flatnonzero(weights)]
        if not used:
            return np.zeros_like(rows[0])
        chosen = _readable([rows[k] for k in used])
        if rows[0].dtype != np.float32:
            return self._screened(chosen).combine(rows, weights, divisor)
        factors = weights[used].astype(np.float32)
        result = np.empty_like(rows[0])
        sizes = (len(chosen), len(result))
        if self._library.call(
            "combine", addresses(chosen), *sizes, address(factors), divisor, address(result)
        ):
            return self._screened(chosen).combine(rows, weights, divisor)
        return result

    def clamp(self, row: Array, low: Array, high: Array) -> Array:
        """As the middle one of three values; not screened, for it is for rows that have been."""
        if row.dtype != np.float32:
            return self._numpy.clamp(row, low, high)
        row, high = _readable([row, high])
        self._library.call("clamp", address(row), address(low), address(high), len(row))
        return low

    def midpoint(self, low: Array, high: Array) -> Array:
        """Without an overflow."""
        if low.dtype != np.float32:
            return self._numpy.midpoint(low, high)
        low, high = _readable([low, high])
        result = np.empty_like(low)
        self._library.call("midpoint", address(low), address(high), len(low), address(result))
        return result

    def _dots(self, few: Sequence[Array], rows: Sequence[Array]) -> Float64s:
        """Of a tile at most."""
        together = _readable([*rows, *few])
        sums = np.zeros((len(rows), len(few)))
        self._library.call("dots", vectors(together), len(few), address(sums))
        if not np.isfinite(sums).all():
            self._screen(rows)
            self._screen(few)
        return sums.T

    def _takes(self, rows: Sequence[Array]) -> bool:
        """Whether order statistics of such rows are compiled."""
        return rows[0].dtype == np.float32 and len(rows) <= self._library.rows_max

    def _products(self, rows: Sequence[Array], centre: Array | None) -> Float64s:
        lower = np.zeros((len(rows), len(rows)))
        self._library.call("products", vectors(rows, centre), address(lower))
        if not np.isfinite(lower.diagonal()).all():
            self._screen(rows)
            if centre is not None:
                self._screen([centre])
        return np.tril(lower) + np.tril(lower, -1).T

    def _screen(self, rows: Sequence[Array]) -> None:
        """Raise NonFiniteRowsError if a row is not; an overflow does not prove it."""
        finite = self._numpy.finite(rows)
        if not finite.all():
            raise NonFiniteRowsError(f"rows {np.flatnonzero(~finite).tolist()} are not finite")

    def _screened(self, rows: Sequence[Array]) -> NumpyKernels:
        """What does the rest, for rows that are finite."""
        self._screen(rows)
        return self._numpy


def _readable(rows: Sequence[Array], like: Array | None = None) -> list[Array]:
    """The rows as compiled functions read them: contiguous, aligned, of one type and length."""
    like = rows[0] if like is None else like
    for row in rows:
        if row.dtype != like.dtype or row.shape != like.shape:
            raise InvariantError("rows are not of one type and length")
    return [row if row.flags.c_contiguous and row.flags.aligned else row.copy() for row in rows]
