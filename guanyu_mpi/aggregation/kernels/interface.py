"""What rules need of the machine: order statistics, inner products, linear combinations."""

from collections.abc import Sequence
from typing import Protocol

from guanyu_mpi.aggregation.arrays import Float64s, Mask, Row


class Kernels(Protocol[Row]):
    """Operations on n rows of d coordinates each; unless it says so, rows are only read.

    Order statistics are never -0. Where two implementations take the same rows, their results are
    equal bit for bit. An inner product is a float64 and depends on its two rows only, in either
    order.
    """

    @property
    def name(self) -> str:
        """What to call this implementation, such as "compiled"."""
        ...

    @property
    def screens(self) -> bool:
        """Whether rows that are not finite raise NonFiniteRowsError in what reads all of them."""
        ...

    def finite(self, rows: Sequence[Row]) -> Mask:
        """Whether each row is finite, shape (n,)."""
        ...

    def dots(self, few: Sequence[Row], rows: Sequence[Row]) -> Float64s:
        """Inner products of each of m rows with each of k, shape (m, k)."""
        ...

    def products(self, rows: Sequence[Row]) -> Float64s:
        """Inner products of all pairs, shape (n, n)."""
        ...

    def centred_products(self, rows: Sequence[Row], centre: Row) -> Float64s:
        """Inner products of all pairs, each minus the centre, shape (n, n)."""
        ...

    def ranked(self, rows: Sequence[Row], ranks: Sequence[int]) -> list[Row]:
        """Some order statistics of every coordinate; rank 0 is the least value."""
        ...

    def median(self, rows: Sequence[Row]) -> Row:
        """Median of every coordinate, the mean of the two middle values if n is even."""
        ...

    def trimmed_mean(self, rows: Sequence[Row], trim: int) -> Row:
        """Mean of every coordinate's values without the `trim` least and as many greatest."""
        ...

    def nearest_mean(self, rows: Sequence[Row], keep: int, trim: int | None) -> Row:
        """Mean of every coordinate's `keep` values nearest to its centre.

        The centre is the median, or the mean without the `trim` least and greatest values if that
        is a number. Of a lower and an upper value at equal distance the lower one is kept.
        """
        ...

    def combine(self, rows: Sequence[Row], weights: Float64s, divisor: int = 1) -> Row:
        """Sum of weights (n,) times rows, in the order of the rows, over a divisor.

        Rows of weight zero are not read. Of absolute weights that sum to the divisor at most.
        """
        ...

    def clamp(self, row: Row, low: Row, high: Row) -> Row:
        """Every coordinate moved to the nearest value between low and high; overwrites low.

        Both are results of `ranked`. New memory would cost more than the work.
        """
        ...

    def midpoint(self, low: Row, high: Row) -> Row:
        """Correctly rounded mean of two rows, for all finite values."""
        ...
