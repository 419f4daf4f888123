"""The kernels in numpy, over blocks of columns that stay in the caches."""

from collections.abc import Sequence

import numpy as np

from guanyu_mpi.aggregation.arrays import Array, Float64s, Mask, blocks
from guanyu_mpi.aggregation.kernels import sums
from guanyu_mpi.aggregation.kernels.ranks import ranked_blocks

# The running sum of a block stays in the L2 cache while the rows pass by.
_BLOCK = 1 << 16


class NumpyKernels:
    """Kernels for float32 and float64 that need nothing but numpy; see interface.Kernels."""

    name = "numpy"
    screens = False

    def finite(self, rows: Sequence[Array]) -> Mask:
        """At the price of one sum per row."""
        with np.errstate(over="ignore", invalid="ignore"):
            finite: Mask = np.isfinite([row.sum() for row in rows])
        # A sum of finite values may overflow; one with a NaN or an infinity is never finite.
        for k in np.flatnonzero(~finite):
            finite[k] = np.isfinite(rows[int(k)]).all()
        return finite

    def dots(self, few: Sequence[Array], rows: Sequence[Array]) -> Float64s:
        """In float64, in the order that sums.py fixes."""
        return sums.dots(few, rows)

    def products(self, rows: Sequence[Array]) -> Float64s:
        """In float64, in the order that sums.py fixes."""
        return sums.products(rows)

    def centred_products(self, rows: Sequence[Array], centre: Array) -> Float64s:
        """In float64, in the order that sums.py fixes."""
        return sums.products(rows, centre)

    def ranked(self, rows: Sequence[Array], ranks: Sequence[int]) -> list[Array]:
        """By one selection network for all wanted ranks."""
        results = [np.empty_like(rows[0]) for _ in ranks]
        for columns, ranked in ranked_blocks(rows, ranks):
            for result, values in zip(results, ranked, strict=True):
                _without_negative_zero(values, out=result[columns])
        return results

    def median(self, rows: Sequence[Array]) -> Array:
        """By a selection network."""
        n = len(rows)
        result = np.empty_like(rows[0])
        middle = [n // 2] if n % 2 else [n // 2 - 1, n // 2]
        for columns, ranked in ranked_blocks(rows, middle):
            if n % 2:
                _without_negative_zero(ranked[0], out=result[columns])
            else:
                _midpoint_into(result[columns], *ranked)
        return result

    def trimmed_mean(self, rows: Sequence[Array], trim: int) -> Array:
        """Sum of the kept values from the least to the greatest, over their number."""
        result = np.empty_like(rows[0])
        kept = range(trim, len(rows) - trim)
        for columns, ranked in ranked_blocks(rows, kept):
            _mean_into(result[columns], ranked)
        return result

    def nearest_mean(self, rows: Sequence[Array], keep: int, trim: int | None) -> Array:
        """Sum of the kept values from the least to the greatest, over their number.

        The kept values are neighbours in order. The window of `keep` of them starts at the number
        of pairs (v[j], v[j + keep]) of which the lower one is farther from the centre.
        """
        n = len(rows)
        result = np.empty_like(rows[0])
        for columns, ranked in ranked_blocks(rows, range(n)):
            centre = np.empty_like(ranked[0])
            _centre_into(centre, ranked, trim)
            start = _window_start(ranked, centre, keep)
            total = np.zeros_like(centre)
            with np.errstate(over="ignore", invalid="ignore"):
                for k, values in enumerate(ranked):
                    within = (start <= k) & (k < start + keep)
                    np.add(total, np.where(within, values, 0), out=total)
                np.divide(total, keep, out=result[columns])
            overflowed = ~np.isfinite(result[columns])
            if overflowed.any():
                result[columns][overflowed] = _shares(ranked, start, keep)[overflowed]
        return result

    def combine(self, rows: Sequence[Array], weights: Float64s, divisor: int = 1) -> Array:
        """Products and sums in the rows' own type, one row after another."""
        used = np.flatnonzero(weights)
        factors = weights.astype(rows[0].dtype)
        result = np.empty_like(rows[0])
        for columns in blocks(len(result), _BLOCK):
            block = [rows[int(k)][columns] for k in used]
            _combine_into(result[columns], block, factors[used], divisor)
        return result

    def clamp(self, row: Array, low: Array, high: Array) -> Array:
        """As the middle one of three values."""
        np.maximum(row, low, out=low)
        np.minimum(low, high, out=low)
        _without_negative_zero(low, out=low)
        return low

    def midpoint(self, low: Array, high: Array) -> Array:
        """Without an overflow."""
        result = np.empty_like(low)
        _midpoint_into(result, low, high)
        return result


def _without_negative_zero(values: Array, out: Array) -> None:
    """Write values with +0 for -0: which of the two a minimum is, the order of rows decides."""
    np.add(values, 0, out=out)


def _midpoint_into(out: Array, low: Array, high: Array) -> None:
    """Write the correctly rounded mean of two values, for all finite values."""
    with np.errstate(over="ignore"):
        np.add(low, high, out=out)
    np.multiply(out, 0.5, out=out)
    overflowed = ~np.isfinite(out)
    if overflowed.any():
        # The sum overflowed. Halving first is exact there, though not for the tiniest values.
        out[overflowed] = low[overflowed] * 0.5 + high[overflowed] * 0.5
    _without_negative_zero(out, out=out)


def _mean_into(out: Array, values: Sequence[Array]) -> None:
    """Write the mean of blocks of values, added in their order; finite if they are."""
    with np.errstate(over="ignore", invalid="ignore"):
        out[...] = 0
        for block in values:
            np.add(out, block, out=out)
        np.divide(out, len(values), out=out)
    overflowed = ~np.isfinite(out)
    if overflowed.any():
        ones = np.ones(len(values), out.dtype)
        out[overflowed] = _divided_first(values, ones, len(values))[overflowed]


def _divided_first(values: Sequence[Array], factors: Array, divisor: int) -> Array:
    """A combination whose sum would overflow though it cannot: slower, and rounds oftener."""
    largest = np.finfo(values[0].dtype).max
    total = np.zeros_like(values[0])
    for factor, block in zip(factors, values, strict=True):
        with np.errstate(over="ignore"):
            np.add(total, block * (factor / divisor), out=total)
        # Rounding may step beyond the largest number, and not come back.
        np.clip(total, -largest, largest, out=total)
    return total


def _combine_into(out: Array, rows: Sequence[Array], factors: Array, divisor: int) -> None:
    """Write a combination of blocks; finite if they are and the factors' sum is the divisor."""
    with np.errstate(over="ignore", invalid="ignore"):
        out[...] = 0
        for factor, block in zip(factors, rows, strict=True):
            np.add(out, block * factor, out=out)
        if divisor != 1:
            np.divide(out, divisor, out=out)
    if rows and not np.isfinite(out).all():
        overflowed = ~np.isfinite(out)
        out[overflowed] = _divided_first(rows, factors, divisor)[overflowed]


def _centre_into(out: Array, ranked: Sequence[Array], trim: int | None) -> None:
    """Write the median of ordered values, or their trimmed mean."""
    n = len(ranked)
    if trim is not None:
        _mean_into(out, ranked[trim : n - trim])
    elif n % 2:
        out[...] = ranked[n // 2]
    else:
        _midpoint_into(out, ranked[n // 2 - 1], ranked[n // 2])


def _window_start(ranked: Sequence[Array], centre: Array, keep: int) -> Array:
    """How many of the least values are left out, as a float; halves, for they cannot overflow."""
    half = centre * 0.5
    start = np.zeros_like(centre)
    for j in range(len(ranked) - keep):
        below = half - ranked[j] * 0.5
        above = ranked[j + keep] * 0.5 - half
        np.add(start, below > above, out=start)
    return start


def _shares(ranked: Sequence[Array], start: Array, keep: int) -> Array:
    """The mean of a window whose sum overflows."""
    kept = [np.where((start <= k) & (k < start + keep), v, 0) for k, v in enumerate(ranked)]
    return _divided_first(kept, np.ones(len(kept), start.dtype), keep)
