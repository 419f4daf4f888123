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


class Gathering(Protocol[Row]):
    """A quorum of n vectors on its way; at most n are kept, whatever is added."""

    def add(self, vector: Row) -> None:
        """Take a finite vector (d,) that will probably be combined, and prepare for it."""
        ...

    def combine(self, vectors: Sequence[Row]) -> Row:
        """The rule on n finite vectors in sender order, whether added before or not."""
        ...


class Unprepared(Generic[Row]):
    """For rules that can do nothing before all vectors are there."""

    def __init__(self, kernels: Kernels[Row], combine: Combine[Row]) -> None:
        self._kernels = kernels
        self._combine = combine

    def add(self, vector: Row) -> None:
        """Nothing to do."""

    def combine(self, vectors: Sequence[Row]) -> Row:
        """The rule at once."""
        return self._combine(Points(vectors, self._kernels))


class WithProducts(Generic[Row]):
    """For rules on distances: the inner products of each arrival with those before it."""

    def __init__(self, n: int, kernels: Kernels[Row], combine: Combine[Row]) -> None:
        self._n = n
        self._kernels = kernels
        self._combine = combine
        self._added: list[Row] = []
        # Row k holds the products of the k-th vector with those up to itself.
        self._products: list[Float64s] = []

    def add(self, vector: Row) -> None:
        """One pass over the vectors that are there."""
        if len(self._added) < self._n:
            self._added.append(vector)
            self._products.append(self._kernels.dots(vector, self._added))

    def combine(self, vectors: Sequence[Row]) -> Row:
        """The rule, with the products of what was added and those that are still missing."""
        products = self._products_of(vectors)
        return self._combine(Points(vectors, self._kernels, products))

    def _products_of(self, vectors: Sequence[Row]) -> Float64s:
        place = {id(vector): k for k, vector in enumerate(self._added)}
        products = np.empty((len(vectors), len(vectors)))
        for i, vector in enumerate(vectors):
            at = place.get(id(vector))
            if at is None:
                new = self._kernels.dots(vector, vectors)
                products[i], products[:, i] = new, new
                continue
            for j, other in enumerate(vectors[: i + 1]):
                before = place.get(id(other))
                if before is not None:
                    later, earlier = max(at, before), min(at, before)
                    products[i, j] = products[j, i] = self._products[later][earlier]
        return products


class WithMiddles(Generic[Row]):
    """For the median: the middle values of the first n - 1 vectors, between which the last falls.

    The median of n is the last vector moved between the two middle ones of the others; if n is
    even, both of its middle values are found so.
    """

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
