"""Centered clipping: a point that each vector moves by a bounded step."""

import math
import sys

import numpy as np

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.distances import UNREACHABLE
from guanyu_mpi.aggregation.geometric_median import FAR, distances_from, medoid
from guanyu_mpi.aggregation.points import Points


def centered_clipping(
    points: Points[Row], f: int, tau: float | None = None, iterations: int = 3
) -> Row:
    """v <- v + (1/n) sum_i (x_i - v) min(1, tau / |x_i - v|), so many times; (n, d) -> (d,).

    Karimireddy, He, Jaggi, ICML 2021. Requires n >= 2f + 1. Unlike theirs it starts at the medoid,
    not at the previous result: there is no state that a restart would lose or a bad step poison.
    Without a tau that is, each time, the median distance of the vectors from v. Vectors FAR times
    tau away do not move v: their distances do not tell in which direction they would.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [90.0, 0.0, 0.0]])
    >>> bind("centered-clipping", n=3, f=1, tau=3.0, iterations=1)(vectors).round(6).tolist()
    [2.666667, 0.0, 0.0]
    """
    n = len(points)
    weights = np.zeros(n)
    weights[medoid(points.squared, f)] = 1
    for _ in range(iterations):
        distances = distances_from(points.squared, weights)
        radius = float(np.median(distances)) if tau is None else tau
        if radius == 0:
            # More than half of the vectors are here.
            break
        steps = radius / np.maximum(distances, radius) / n
        steps[(distances > FAR * radius) | (distances >= math.sqrt(UNREACHABLE) / 2)] = 0
        weights = weights * (1 - steps.sum()) + steps
    return points.combination(weights)


def tau_fault(tau: object, n: int, f: int) -> str:  # noqa: ARG001 - as every OptionFault
    """What is wrong with a length to clip to, in the user's words; empty if nothing is.

    >>> tau_fault(-1.0, n=7, f=2)
    'tau = -1.0 is out of bounds: needs a finite tau > 0'
    """
    if not isinstance(tau, int | float) or isinstance(tau, bool):
        return f"tau = {tau!r} is not a number"
    # Whole numbers too large for a float are compared with one, but not converted.
    if not 0 < tau <= sys.float_info.max:
        return f"tau = {tau} is out of bounds: needs a finite tau > 0"
    return ""
