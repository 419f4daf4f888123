"""Means of every coordinate's middle values: trimmed mean, MeaMed, Phocas."""

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.points import Points


def trimmed_mean(points: Points[Row], f: int) -> Row:
    """Mean of every coordinate without its f least and f greatest values, (n, d) -> (d,).

    Yin et al., ICML 2018. Requires n >= 2f + 1.

    >>> import numpy as np
    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [2.0, 7.0, 0.5], [90.0, -90.0, 90.0]])
    >>> bind("trimmed-mean", n=3, f=1)(vectors).tolist()
    [2.0, 5.0, 0.5]
    """
    return points.trimmed_mean(f)


def meamed(points: Points[Row], f: int) -> Row:
    """Mean of every coordinate's n - f values nearest its median, (n, d) -> (d,).

    Mean around median: Xie, Koyejo, Gupta, "Generalized Byzantine-tolerant SGD", 2018. Requires
    n >= 2f + 1. Of two values at equal distance the lower one is kept.

    >>> import numpy as np
    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [2.0, 7.0, 0.5], [90.0, -90.0, 90.0]])
    >>> bind("meamed", n=3, f=1)(vectors).tolist()
    [1.5, 6.0, 0.25]
    """
    return points.nearest_mean(keep=len(points) - f)


def phocas(points: Points[Row], f: int) -> Row:
    """Mean of every coordinate's n - f values nearest its trimmed mean, (n, d) -> (d,).

    Xie, Koyejo, Gupta, "Phocas: dimensional Byzantine-resilient SGD", 2018. Requires n >= 2f + 1.
    Of two values at equal distance the lower one is kept.

    >>> import numpy as np
    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [2.0, 7.0, 0.5], [90.0, -90.0, 90.0]])
    >>> bind("phocas", n=3, f=1)(vectors).tolist()
    [1.5, 6.0, 0.25]
    """
    return points.nearest_mean(keep=len(points) - f, trim=f)
