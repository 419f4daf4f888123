"""Clipping: no vector is longer than a bound, which is given or found among the vectors."""

import math

import numpy as np

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.distances import UNREACHABLE
from guanyu_mpi.aggregation.geometric_median import FAR
from guanyu_mpi.aggregation.points import Points


def clipping(points: Points[Row], f: int, tau: float = math.inf) -> Points[Row]:  # noqa: ARG001 - every one takes f
    """x_i min(1, tau / |x_i|): vectors longer than tau shortened to it.

    `bind` asks for a tau: there is none that suits all vectors. Those FAR times too long become
    zero; see `_shortened`.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[3.0, 4.0, 0.0], [0.0, 8.0, 6.0], [0.0, 0.0, 1.0]])
    >>> clip = {"clipping": {"tau": 5.0}}
    >>> bind("average", n=3, f=0, pre=["clipping"], pre_options=clip)(vectors).round(6).tolist()
    [1.0, 2.666667, 1.333333]
    """
    return _shortened(points, tau * tau)


def arc(points: Points[Row], f: int) -> Points[Row]:
    """Adaptive robust clipping: the k = floor(2 (f / n) (n - f)) longest shortened to the next.

    The bound is the (k + 1)-th largest norm. Allouah et al., "Adaptive gradient clipping for
    robust federated learning", ICLR 2025. Meant for n >= 2f + 1, where k < n - f.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[3.0, 4.0, 0.0], [0.0, 8.0, 6.0], [0.0, 0.0, 1.0]])
    >>> bind("average", n=3, f=1, pre=["arc"])(vectors).round(6).tolist()
    [1.0, 2.666667, 1.333333]
    """
    n = len(points)
    k = max(0, 2 * f * (n - f) // n)
    return _shortened(points, float(np.sort(points.lengths)[n - 1 - k]))


def _shortened(points: Points[Row], limit: float) -> Points[Row]:
    """The vectors, with a squared length of at most a limit.

    Those FAR times too long become zero. Their distances to others are differences of what they
    were before, and would have no digits left.
    """
    lengths = points.lengths
    too_long = lengths > limit
    if not too_long.any():
        return points
    factors = np.ones(len(points))
    factors[too_long] = np.sqrt(limit / lengths[too_long])
    factors[too_long & ((factors < 1 / FAR) | (lengths >= UNREACHABLE))] = 0
    return points.mixed(np.diag(factors))
