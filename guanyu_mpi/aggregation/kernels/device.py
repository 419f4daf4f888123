"""The kernels in torch, for vectors on a GPU; they also run on the CPU, where tests compare them.

Order statistics are networks of minima and maxima, which torch.compile fuses into one pass over
memory; inner products are float64 matrix products. Additions are in an order of the library's
choice, so that last bits may differ from those on the CPU.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch

from guanyu_mpi.aggregation.arrays import Float64s, Mask, blocks
from guanyu_mpi.aggregation.kernels.network import selection_network

Rows = Sequence[torch.Tensor]

# Columns that are widened to float64 at a time: 33 such rows are 1.1 GB.
_WIDTH = 1 << 22


class TorchKernels:
    """Kernels for float32, float64 and bfloat16 tensors on one device; see interface.Kernels.

    Means of bfloat16 are summed in float32.
    """

    name = "torch"
    screens = False

    def finite(self, rows: Rows) -> Mask:
        """One row after another; all answers are fetched at once."""
        return torch.stack([torch.isfinite(row).all() for row in rows]).cpu().numpy()

    def dots(self, few: Rows, rows: Rows) -> Float64s:
        """In float64."""
        sums = torch.zeros(len(few), len(rows), dtype=torch.float64, device=rows[0].device)
        for columns in blocks(len(rows[0]), _WIDTH):
            sums += _widened(few, columns) @ _widened(rows, columns).T
        return sums.cpu().numpy()

    def products(self, rows: Rows) -> Float64s:
        """In float64."""
        return _products(rows, None)

    def centred_products(self, rows: Rows, centre: torch.Tensor) -> Float64s:
        """In float64."""
        return _products(rows, centre)

    def ranked(self, rows: Rows, ranks: Sequence[int]) -> list[torch.Tensor]:
        """By one selection network for all wanted ranks."""
        return _ranked(rows, tuple(ranks))

    def median(self, rows: Rows) -> torch.Tensor:
        """By a selection network."""
        n = len(rows)
        if n % 2:
            return _ranked(rows, (n // 2,))[0]
        return self.midpoint(*_ranked(rows, (n // 2 - 1, n // 2)))

    def trimmed_mean(self, rows: Rows, trim: int) -> torch.Tensor:
        """Sum of the kept values from the least to the greatest, over their number."""
        kept = range(trim, len(rows) - trim)
        return _mean(_ranked(rows, tuple(kept))).to(rows[0].dtype)

    def nearest_mean(self, rows: Rows, keep: int, trim: int | None) -> torch.Tensor:
        """Sum of the kept values from the least to the greatest, over their number."""
        n = len(rows)
        ordered = [_wide(row) for row in _ranked(rows, tuple(range(n)))]
        centre = self.median(ordered) if trim is None else _mean(ordered[trim : n - trim])
        half = centre * 0.5
        start = torch.zeros_like(centre)
        for j in range(n - keep):
            start += (half - ordered[j] * 0.5) > (ordered[j + keep] * 0.5 - half)
        mean = torch.zeros_like(centre)
        for k, values in enumerate(ordered):
            within = (start <= k) & (k < start + keep)
            mean += torch.where(within, values / keep, 0)
        return mean.to(rows[0].dtype)

    def combine(self, rows: Rows, weights: Float64s, divisor: int = 1) -> torch.Tensor:
        """Products and sums one row after another."""
        total = torch.zeros_like(_wide(rows[0]))
        for k in np.flatnonzero(weights):
            total.add_(_wide(rows[int(k)]), alpha=float(weights[k]) / divisor)
        return total.to(rows[0].dtype)

    def clamp(self, row: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """In one pass."""
        return torch.clamp(row, low, high, out=low).add_(0)

    def midpoint(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """Halves first, which cannot overflow."""
        return (_wide(low) * 0.5 + _wide(high) * 0.5 + 0).to(low.dtype)


def _wide(row: torch.Tensor) -> torch.Tensor:
    """The row in a type that sums may be made in."""
    return row.float() if row.dtype is torch.bfloat16 else row


def _mean(rows: Rows) -> torch.Tensor:
    """Mean in the order of the rows; each divided first, so that no sum overflows."""
    total = torch.zeros_like(_wide(rows[0]))
    for row in rows:
        total += _wide(row) / len(rows)
    return total


def _widened(rows: Rows, columns: slice) -> torch.Tensor:
    return torch.stack([row[columns].double() for row in rows])


def _products(rows: Rows, centre: torch.Tensor | None) -> Float64s:
    sums = torch.zeros((len(rows), len(rows)), dtype=torch.float64, device=rows[0].device)
    for columns in blocks(len(rows[0]), _WIDTH):
        block = _widened(rows, columns)
        if centre is not None:
            block -= centre[columns].double()
        sums += block @ block.T
    return ((sums + sums.T) / 2).cpu().numpy()


def _ranked(rows: Rows, ranks: tuple[int, ...]) -> list[torch.Tensor]:
    run = _network(len(rows), ranks)
    return _fused(len(rows), ranks)(list(rows)) if rows[0].is_cuda else run(list(rows))


@cache
def _fused(n: int, ranks: tuple[int, ...]) -> Callable[[list[torch.Tensor]], list[torch.Tensor]]:
    """The network as one kernel of the GPU; compiled once for each n and ranks."""
    return torch.compile(_network(n, ranks), dynamic=True)


def _network(n: int, ranks: tuple[int, ...]) -> Callable[[list[torch.Tensor]], list[torch.Tensor]]:
    """Minima and maxima that bring the wanted ranks of n rows into place."""
    comparators = selection_network(n, frozenset(ranks))

    def run(places: list[torch.Tensor]) -> list[torch.Tensor]:
        for first, second, writes_first, writes_second in comparators:
            low, high = places[first], places[second]
            if writes_first:
                places[first] = torch.minimum(low, high)
            if writes_second:
                places[second] = torch.maximum(low, high)
        # Of +0 and -0 the order of the rows would decide.
        return [places[rank] + 0 for rank in ranks]

    return run
