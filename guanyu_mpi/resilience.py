"""Whether gradients are as the theory assumes: estimates from the one quorum that a server has.

A rule with a `deviation_max` is known to be resilient while that, times the length of the true
gradient, is above sqrt(d) sigma, the standard deviation of an honest gradient over all its
coordinates. Krum's is 1 / eta(n, f) of Blanchard et al., NeurIPS 2017, proposition 1, for which
sin alpha = eta sqrt(d) sigma / ||gradient|| < 1; GuanYu's proof (arXiv 1905.03853) needs it too.

Both sides are unknown. They are estimated from the n - f gradients nearest to the aggregate, as if
these were the honest ones. So the estimates can be bent: an attacker who stays among the nearest
moves both sides, and up to f honest gradients at the edge are left out, which makes the deviation
look smaller than it is. What is measured speaks for a run; it proves nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Indices
from guanyu_mpi.aggregation.distances import squared_distances
from guanyu_mpi.aggregation.kernels import default_kernels
from guanyu_mpi.messages import Vector

# A gradient farther than so many times the farthest of the nearest n - f is a clear outlier.
OUTLYING = 2.0
# noise, norm, alignment, outlying; then a rank per worker.
NUM_FIGURES = 4
ABSENT = -1


@dataclass(frozen=True, slots=True)
class Resilience:
    """What a server estimates of the gradients of one step.

    `noise` is sqrt(d) sigma, `norm` the length of the true gradient, `alignment` the cosine of the
    aggregate and the mean of the nearest n - f (0 where one of them is zero), `outlying` how many
    gradients are clear outliers, and `ranks` the place of each gradient by distance to the
    aggregate, 0 for the nearest.
    """

    noise: float
    norm: float
    alignment: float
    outlying: int
    ranks: tuple[int, ...]

    @property
    def deviation(self) -> float:
        """sqrt(d) sigma as a multiple of the gradient's length; 0 without noise."""
        if self.noise == 0:
            return 0.0
        return self.noise / self.norm if self.norm else math.inf


def margin(deviation: float, deviation_max: float) -> float:
    """||gradient|| as a multiple of what the rule needs, eta sqrt(d) sigma; above 1 is enough.

    >>> margin(0.5, deviation_max=0.25), margin(0.0, deviation_max=0.25)
    (0.5, inf)
    """
    return deviation_max / deviation if deviation else math.inf


def estimate(
    gradients: Sequence[Vector], aggregate: Vector, f: int, products: Float64s | None = None
) -> Resilience:
    """Estimates from n finite gradients (d,), of which f may be Byzantine, and their aggregate.

    `products` are the gradients' inner products (n, n), if the rule has taken them already.
    The variance is that around the mean of the nearest n - f, one at least; the squared length of
    that mean is too large by variance / (n - f) in expectation, which is taken off. One pass over
    the vectors gives their inner products, from which all of it follows: sum |x_i - mean|^2 of m
    vectors is the sum of |x_i - x_j|^2 over all pairs, divided by m.
    """
    kernels, rows = default_kernels(), [*gradients, aggregate]
    if products is None:
        products = kernels.products(rows)
    else:
        products = _with_last(products, kernels.dots([aggregate], rows))
    squared = squared_distances(rows, kernels, products)
    squared_n = squared[-1, :-1]
    # A stable sort: of equal distances the lower row comes first.
    order = np.argsort(squared_n, kind="stable")
    nearest = order[: max(1, len(gradients) - f)]
    m, among = len(nearest), np.ix_(nearest, nearest)
    variance = float(squared[among].sum()) / 2 / m / max(m - 1, 1)
    mean_squared = float(products[among].sum()) / m**2
    lengths = math.sqrt(max(mean_squared, 0.0)) * math.sqrt(products[-1, -1])
    return Resilience(
        noise=math.sqrt(variance),
        norm=math.sqrt(max(mean_squared - variance / m, 0.0)),
        alignment=float(products[-1, nearest].mean()) / lengths if lengths else 0.0,
        outlying=int(np.sum(squared_n > OUTLYING**2 * squared_n[nearest[-1]])),
        ranks=_ranks(order),
    )


def num_numbers(workers: int) -> int:
    """How many numbers a report has."""
    return NUM_FIGURES + workers


def to_vector(resilience: Resilience, senders: Sequence[int], workers: int) -> Vector:
    """Estimates as a report, shape (num_numbers(workers),); senders are indices of workers."""
    report = np.full(num_numbers(workers), ABSENT, np.float32)
    figures = (resilience.noise, resilience.norm, resilience.alignment, resilience.outlying)
    # Finite gradients can have a noise beyond float32, and the wire takes nothing infinite.
    report[:NUM_FIGURES] = np.minimum(figures, float(np.finfo(np.float32).max))
    report[NUM_FIGURES + np.array(senders, np.intp)] = resilience.ranks
    return report


def from_vector(report: Vector, quorum: int) -> Resilience:
    """Estimates of a report, `ranks` by index of worker and ABSENT for who was not in the quorum.

    Its sender may be Byzantine: any finite numbers are brought into their range.
    """
    noise, norm, alignment, outlying = (float(figure) for figure in report[:NUM_FIGURES])
    ranks = np.clip(report[NUM_FIGURES:], ABSENT, quorum - 1)
    return Resilience(
        noise=max(noise, 0.0),
        norm=max(norm, 0.0),
        alignment=min(max(alignment, -1.0), 1.0),
        outlying=round(min(max(outlying, 0), quorum)),
        ranks=tuple(int(rank) for rank in np.rint(ranks)),
    )


def _with_last(products: Float64s, last: Float64s) -> Float64s:
    """Inner products of n vectors and one more, (n, n) and (1, n + 1) -> (n + 1, n + 1)."""
    return np.block([[products, last[:, :-1].T], [last]])


def _ranks(order: Indices) -> tuple[int, ...]:
    """The place of each row in an order of rows."""
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return tuple(int(rank) for rank in ranks)
