"""Aggregation arrival by arrival: while a quorum fills, the work that can be done is done.

The result is that of the rule on all vectors at once, bit for bit: what is prepared depends on the
vectors and not on the order in which they came. A vector is known again by its identity, so it
must not change between `add` and `combine`.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Generic, Protocol, TypeAlias

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Row
from guanyu_mpi.aggregation.kernels import Kernels
from guanyu_mpi.aggregation.points import Points

# A rule bound to f and its options.
Combine: TypeAlias = Callable[[Points[Row]], Row]
# Arrivals that are multiplied together: those that compiled kernels take in one pass.
TOGETHER = 4


class Gathering(Protocol[Row]):
    """A quorum of n vectors on its way; at most n are kept, whatever is added."""

    @property
    def products(self) -> Float64s | None:
        """Inner products (n, n) of the vectors last combined, if the rule has asked for them."""
        ...

    def add(self, vector: Row) -> None:
        """Take a finite vector (d,) that will probably be combined, and prepare for it."""
        ...

    def combine(self, vectors: Sequence[Row]) -> Row:
        """The rule on n finite vectors in sender order, whether added before or not."""
        ...


class Unprepared(Generic[Row]):
    """For rules that can do nothing, or are to do nothing, before all vectors are there."""

    def __init__(self, kernels: Kernels[Row], combine: Combine[Row]) -> None:
        self.products: Float64s | None = None
        self._kernels = kernels
        self._combine = combine

    def add(self, vector: Row) -> None:
        """Nothing to do."""

    def combine(self, vectors: Sequence[Row]) -> Row:
        """The rule at once."""
        points = Points(vectors, self._kernels)
        combined = self._combine(points)
        self.products = points.products
        return combined


class WithProducts(Generic[Row]):
    """For rules on distances: the inner products of arrivals with those before them.

    A few arrivals are multiplied together: a pass over all vectors takes hardly longer for them
    than for one, and what is left for the last arrival is no more than that.
    """

    def __init__(self, n: int, kernels: Kernels[Row], combine: Combine[Row]) -> None:
        self._n = n
        self._kernels = kernels
        self._combine = combine
        self._added: list[Row] = []
        # Of the first so many that were added, the products with each other.
        self._multiplied = 0
        self._prepared = np.empty((n, n))
        self.products: Float64s | None = None

    def add(self, vector: Row) -> None:
        """Now and then one pass over the vectors that are there."""
        if len(self._added) == self._n:
            return
        self._added.append(vector)
        before, now = self._multiplied, len(self._added)
        if now - before == TOGETHER:
            new = self._kernels.dots(self._added[before:], self._added)
            self._prepared[before:now, :now] = new
            self._prepared[:now, before:now] = new.T
            self._multiplied = now

    def combine(self, vectors: Sequence[Row]) -> Row:
        """The rule, with the products that are there and those that are still missing."""
        self.products = self._products_of(vectors)
        return self._combine(Points(vectors, self._kernels, self.products))

    def _products_of(self, vectors: Sequence[Row]) -> Float64s:
        place = {id(vector): k for k, vector in enumerate(self._added[: self._multiplied])}
        known = [i for i, vector in enumerate(vectors) if id(vector) in place]
        # Who is there twice is multiplied once.
        missing = {id(vector): vector for vector in vectors if id(vector) not in place}
        if not known:
            return self._kernels.products(vectors)
        products = np.empty((len(vectors), len(vectors)))
        at = [place[id(vectors[i])] for i in known]
        products[np.ix_(known, known)] = self._prepared[np.ix_(at, at)]
        if missing:
            rows = dict(
                zip(missing, self._kernels.dots([*missing.values()], vectors), strict=True)
            )
            for i, vector in enumerate(vectors):
                if id(vector) in rows:
                    products[i] = products[:, i] = rows[id(vector)]
        return products


class WithMiddles(Generic[Row]):
    """For the median: the middle values of the first n - 1 vectors, between which the last falls.

    The median of n is the last vector moved between the two middle ones of the others; if n is
    even, both of its middle values are found so.
    """

    products: Float64s | None = None

    def __init__(self, n: int, kernels: Kernels[Row], combine: Combine[Row]) -> None:
        self._n = n
        self._kernels = kernels
        self._combine = combine
        self._added: list[Row] = []
        self._middles: list[Row] = []

    def add(self, vector: Row) -> None:
        """Nothing until one is missing; then the work of a whole median."""
        if len(self._added) == self._n - 1:
            return
        self._added.append(vector)
        # With fewer than three others there is a middle without a neighbour on both sides.
        if len(self._added) == self._n - 1 >= 3:
            half = self._n // 2
            ranks = [half - 1, half] if self._n % 2 else [half - 2, half - 1, half]
            self._middles = self._kernels.ranked(self._added, ranks)

    def combine(self, vectors: Sequence[Row]) -> Row:
        """One clamp if all but one have been added, or the median at once."""
        added = {id(vector) for vector in self._added}
        late = [vector for vector in vectors if id(vector) not in added]
        others_count = added <= {id(vector) for vector in vectors}
        if not self._middles or len(late) != 1 or not others_count:
            return self._combine(Points(vectors, self._kernels))
        # What was prepared is used up: the result is written over it.
        middles, self._middles = self._middles, []
        clamped = [self._kernels.clamp(late[0], low, high) for low, high in pairwise(middles)]
        return clamped[0] if len(clamped) == 1 else self._kernels.midpoint(*clamped)
