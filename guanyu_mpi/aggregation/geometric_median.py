"""The geometric median: the point with the least sum of distances to the vectors."""

import math

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Row
from guanyu_mpi.aggregation.distances import UNREACHABLE
from guanyu_mpi.aggregation.points import Points

# Distances to a combination are differences of those between the vectors: half of their digits are
# left if one vector is that many times farther away than the others, and none if it is 1e16 times.
FAR = 1e8
# Weights that change by less have settled.
_TOLERANCE = 1e-12


def geometric_median(
    points: Points[Row], f: int, iterations: int = 100, smoothing: float = 1e-6
) -> Row:
    """The z with the least sum_i |x_i - z|, smoothed and by Weiszfeld's iteration; (n, d) -> (d,).

    z <- sum_i w_i x_i with w_i in proportion to 1 / max(nu, |x_i - z|), from the mean of the n - f
    vectors nearest the medoid, until the weights settle or `iterations` are done. nu is
    `smoothing` times the median distance of the others from the medoid, of two middle ones the
    lower; where that is zero the medoid is the result. Vectors FAR times that distance away weigh
    nothing: their distances do not tell in which direction they pull. Pillutla, Kakade, Harchaoui,
    "Robust aggregation for federated learning", 2022. Requires n >= 2f + 1.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [90.0, 0.0, 0.0]])
    >>> bind("geometric-median", n=3, f=1)(vectors).round(3).tolist()
    [2.0, 0.0, 0.0]
    """
    n = len(points)
    first = medoid(points.squared, f)
    away = np.sqrt(points.squared[first])
    # With n >= 2f + 1 at least half of the others are honest: this distance is at most theirs.
    scale = np.sort(np.delete(away, first))[(n - 2) // 2] if n > 1 else 0.0
    if scale == 0:
        return points.mean(np.array([first]))
    within = (away <= FAR * scale) & (away < math.sqrt(UNREACHABLE))
    weights = np.zeros(n)
    weights[np.argsort(away, kind="stable")[: n - f]] = 1
    weights *= within / (weights @ within)
    for _ in range(iterations):
        distances = distances_from(points.squared, weights)
        pulls = within / np.maximum(distances, smoothing * scale)
        before, weights = weights, pulls / pulls.sum()
        if np.abs(weights - before).max() <= _TOLERANCE:
            break
    return points.combination(weights)


def medoid(squared: Float64s, f: int) -> int:
    """The vector with the least sum of distances to the others, from squared distances (n, n).

    Of equal sums that counts which is less over the n - f nearest only, and then the first one: an
    enormous distance takes the digits of all others with it.

    >>> points = np.array([[1.0], [2.0], [4.0]])
    >>> medoid((points - points.T) ** 2, f=1)
    1
    """
    distances = np.sort(np.sqrt(squared), axis=1)
    nearest = distances[:, : len(squared) - f]
    return int(np.lexsort((nearest.sum(axis=1), distances.sum(axis=1)))[0])


def distances_from(squared: Float64s, weights: Float64s) -> Float64s:
    """Distances (n,) of the vectors from sum_j w_j x_j, where the weights (n,) sum to 1.

    |x_i - z|^2 = (D w)_i - w' D w / 2, of the squared distances D (n, n) alone.

    >>> points = np.array([[1.0], [2.0], [4.0]])
    >>> distances_from((points - points.T) ** 2, np.array([0.5, 0.0, 0.5])).tolist()
    [1.5, 0.5, 1.5]
    """
    means = squared @ weights
    distances: Float64s = np.sqrt(np.maximum(means - weights @ means / 2, 0))
    return distances


def iterations_fault(iterations: object, n: int, f: int) -> str:  # noqa: ARG001 - as every OptionFault
    """What is wrong with a number of iterations, in the user's words; empty if nothing is.

    >>> iterations_fault(0, n=7, f=2)
    'iterations = 0 is out of bounds: needs iterations >= 1'
    """
    if not isinstance(iterations, int) or isinstance(iterations, bool):
        return f"iterations = {iterations!r} is not a whole number"
    if iterations < 1:
        return f"iterations = {iterations} is out of bounds: needs iterations >= 1"
    return ""


def smoothing_fault(smoothing: object, n: int, f: int) -> str:  # noqa: ARG001 - as every OptionFault
    """What is wrong with the smoothing, in the user's words; empty if nothing is.

    >>> smoothing_fault(0.0, n=7, f=2)
    'smoothing = 0.0 is out of bounds: needs 0 < smoothing <= 1'
    """
    if not isinstance(smoothing, int | float) or isinstance(smoothing, bool):
        return f"smoothing = {smoothing!r} is not a number"
    if not 0 < smoothing <= 1:
        return f"smoothing = {smoothing} is out of bounds: needs 0 < smoothing <= 1"
    return ""
