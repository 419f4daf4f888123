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

from guanyu_mpi.aggregation.arrays import Float64s, Indices, blocks
from guanyu_mpi.messages import Vector

# Columns at a time: a quorum's block of float64 stays in the cache.
BLOCK_COLUMNS = 8192
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


def estimate(gradients: Sequence[Vector], aggregate: Vector, f: int) -> Resilience:
    """Estimates from n finite gradients (d,), of which f may be Byzantine, and their aggregate.

    The variance is that around the mean of the nearest n - f; the squared length of that mean is
    too large by variance / (n - f) in expectation, which is taken off.
    """
    squared_n = _squared_distances(gradients, aggregate)
    # A stable sort: of equal distances the lower row comes first.
    order = np.argsort(squared_n, kind="stable")
    nearest = order[: len(gradients) - f]
    spread, mean_squared, along, aggregate_squared = _moments(
        [gradients[i] for i in nearest], aggregate
    )
    variance = spread / max(len(nearest) - 1, 1)
    lengths = math.sqrt(mean_squared) * math.sqrt(aggregate_squared)
    return Resilience(
        noise=math.sqrt(variance),
        norm=math.sqrt(max(mean_squared - variance / len(nearest), 0.0)),
        alignment=along / lengths if lengths else 0.0,
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


def _ranks(order: Indices) -> tuple[int, ...]:
    """The place of each row in an order of rows."""
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return tuple(int(rank) for rank in ranks)


def _squared_distances(rows: Sequence[Vector], point: Vector) -> Float64s:
    """Squared distances of n vectors to another one, (n,)."""
    squared_n = np.zeros(len(rows))
    for columns in blocks(point.size, BLOCK_COLUMNS):
        offsets = np.stack([row[columns] for row in rows], dtype=np.float64) - point[columns]
        squared_n += np.einsum("nd,nd->n", offsets, offsets)
    return squared_n


def _moments(rows: Sequence[Vector], aggregate: Vector) -> Float64s:
    """Of n vectors and their mean: sum |row - mean|^2, |mean|^2, mean . aggregate, |aggregate|^2.

    The mean is never whole: it would be a vector more to hold.
    """
    moments = np.zeros(4)
    for columns in blocks(aggregate.size, BLOCK_COLUMNS):
        block_nd = np.stack([row[columns] for row in rows], dtype=np.float64)
        mean, ours = block_nd.mean(axis=0), aggregate[columns].astype(np.float64)
        offsets = block_nd - mean
        moments += (
            np.einsum("nd,nd->", offsets, offsets),
            np.einsum("d,d->", mean, mean),
            np.einsum("d,d->", mean, ours),
            np.einsum("d,d->", ours, ours),
        )
    return moments
