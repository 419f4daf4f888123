"""n vectors and their geometry: what a rule asks for is computed when it asks, and once."""

from collections.abc import Sequence
from functools import cached_property
from typing import Generic

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Indices, Row
from guanyu_mpi.aggregation.distances import UNREACHABLE, squared_distances
from guanyu_mpi.aggregation.kernels import Kernels


class Points(Generic[Row]):
    """Finite vectors (n, d) in sender order, and what rules want to know of them.

    `products` are the inner products (n, n), from when the vectors arrived or when first needed.
    """

    def __init__(
        self, rows: Sequence[Row], kernels: Kernels[Row], products: Float64s | None = None
    ) -> None:
        self._rows = rows
        self._kernels = kernels
        self.products = products

    def __len__(self) -> int:
        """How many vectors there are."""
        return len(self._rows)

    @cached_property
    def squared(self) -> Float64s:
        """Squared distances between all pairs (n, n), from 0 to UNREACHABLE."""
        if self.products is None:
            self.products = self._kernels.products(self._rows)
        return squared_distances(self._rows, self._kernels, self.products)

    @cached_property
    def lengths(self) -> Float64s:
        """Squared lengths (n,), at most UNREACHABLE."""
        if self.products is None:
            lengths = np.array([self._kernels.dots([row], [row])[0, 0] for row in self._rows])
        else:
            lengths = self.products.diagonal()
        return np.where(lengths < UNREACHABLE, lengths, UNREACHABLE)

    def squared_distances_to(self, point: Row) -> Float64s:
        """Squared distances of all vectors to another one (d,), shape (n,)."""
        return squared_distances([*self._rows, point], self._kernels)[-1, :-1]

    def mean(self, chosen: Indices) -> Row:
        """Mean of some of the vectors, (m,) -> (d,)."""
        weights = np.zeros(len(self))
        weights[chosen] = 1
        return self._kernels.combine(self._rows, weights, divisor=len(chosen))

    def combination(self, weights: Float64s) -> Row:
        """Sum of weights (n,) times the vectors, (d,); of weights whose sizes sum to 1 at most."""
        return self._kernels.combine(self._rows, weights)

    def median(self) -> Row:
        """Coordinate-wise median, (d,)."""
        return self._kernels.median(self._rows)

    def trimmed_mean(self, trim: int) -> Row:
        """Coordinate-wise mean without the `trim` least and greatest values, (d,)."""
        return self._kernels.trimmed_mean(self._rows, trim)

    def nearest_mean(self, keep: int, trim: int | None = None) -> Row:
        """Coordinate-wise mean of the `keep` values nearest the median or a trimmed mean, (d,)."""
        return self._kernels.nearest_mean(self._rows, keep, trim)

    def mixed(self, mixing: Float64s) -> "Points[Row]":
        """Points that are linear combinations of these, one for each row of `mixing` (m, n).

        The sizes of a row's weights sum to 1 at most.
        """
        return _Mixed(self, mixing)


class _Mixed(Points[Row]):
    """Combinations of other points: only rules that look at coordinates make them vectors."""

    def __init__(self, points: Points[Row], mixing: Float64s) -> None:
        self._base = points
        self._mixing = mixing
        self._kernels = points._kernels

    @cached_property
    def _rows(self) -> list[Row]:  # type: ignore[override] # computed where Points has it given
        return [self._base.combination(weights) for weights in self._mixing]

    def __len__(self) -> int:
        return len(self._mixing)

    @cached_property
    def squared(self) -> Float64s:
        """From the distances of the base: |sum u_i x_i|^2 = -1/2 u' D u where the u_i sum to 0.

        The origin is one more point of D, with what is missing to 0.
        """
        mixing = self._with_origin
        m = len(mixing)
        squared = np.zeros((m, m))
        for i in range(m):
            differences = mixing[i] - mixing[: i + 1]
            squared[i, : i + 1] = squared[: i + 1, i] = self._squared_norms(differences)
        return squared

    @cached_property
    def lengths(self) -> Float64s:
        """As distances to the origin."""
        differences = self._with_origin.copy()
        differences[:, -1] -= 1
        return self._squared_norms(differences)

    def mean(self, chosen: Indices) -> Row:
        """Mean of some of the points."""
        return self._base.combination(self._mixing[chosen].mean(axis=0))

    def combination(self, weights: Float64s) -> Row:
        """Sum of weights times the points."""
        return self._base.combination(weights @ self._mixing)

    @cached_property
    def _with_origin(self) -> Float64s:
        """Weights (m, n + 1) that sum to 1, the last one the origin's."""
        missing = 1 - self._mixing.sum(axis=1)
        # A mean's weights do not sum to 1 exactly, and the origin may be very far away.
        return np.column_stack([self._mixing, np.where(np.abs(missing) < 1e-12, 0, missing)])

    @cached_property
    def _base_squared(self) -> Float64s:
        """Squared distances (n + 1, n + 1) of the base and the origin."""
        n = len(self._base)
        squared = np.zeros((n + 1, n + 1))
        squared[:n, :n] = self._base.squared
        squared[n, :n] = squared[:n, n] = self._base.lengths
        return squared

    def _squared_norms(self, differences: Float64s) -> Float64s:
        """Squared lengths of combinations (k, n + 1) whose weights sum to 0."""
        halves = (differences @ self._base_squared) * differences
        norms: Float64s = np.clip(-0.5 * halves.sum(axis=1), 0, UNREACHABLE)
        return norms
