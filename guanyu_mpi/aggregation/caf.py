"""The covariance-bound agnostic filter: less weight for what stretches the vectors most."""

import math

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Row
from guanyu_mpi.aggregation.points import Points


def caf(points: Points[Row], f: int) -> Row:
    """Of weighted means, that around which the vectors spread least; (n, d) -> (d,).

    All weights c_i are 1 at first. While their sum is more than n - 2f: mu is the mean weighted
    so, v and lambda are the first eigenvector and eigenvalue of the covariance weighted so, and
    c_i <- c_i (1 - s_i / max s) with s_i = <x_i - mu, v>^2, the maximum being over what still
    weighs. The result is the mu of least lambda; with f = 0 the mean. No bound on the covariance
    has to be known. Allouah, Guerraoui, Stephan, "Towards trustworthy federated learning with
    untrusted participants", ICML 2025. Requires n >= 2f + 1.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [1.0, 5.0, 0.0], [90.0, -90.0, 90.0]])
    >>> bind("caf", n=3, f=1)(vectors).round(6).tolist()
    [1.0, 5.0, 0.0]
    """
    n = len(points)
    if f == 0:
        return points.mean(np.arange(n))
    weights, best, least = np.ones(n), np.ones(n), math.inf
    # Every turn takes the weight of one vector to zero: there are n at most.
    while weights.sum() > n - 2 * f:
        spread, stretches = _stretched(points.squared, weights)
        if spread < least:
            best, least = weights, spread
        if not stretches.any():
            break
        weights = weights * (1 - stretches / stretches.max())
    return points.combination(best / best.sum())


def _stretched(squared: Float64s, weights: Float64s) -> tuple[float, Float64s]:
    """The weighted covariance's greatest eigenvalue, and in proportion to the s_i an array (n,).

    The covariance (d, d) of y_i = sqrt(p_i) (x_i - mu) has the eigenvalues of their inner
    products, and its eigenvector is in proportion to the sum of the y_i times theirs. Inner
    products from distances: <x_i - mu, x_j - mu> = (r_i + r_j - D_ij - p'r) / 2 with r = D p.
    """
    kept = np.flatnonzero(weights)
    shares = weights[kept] / weights.sum()
    apart = squared[np.ix_(kept, kept)]
    means = apart @ shares
    products = (means[:, None] + means - apart - shares @ means) / 2
    stretches = np.zeros(len(weights))
    # In units of the greatest one, so that no square of them overflows.
    unit = products.diagonal().max()
    if unit <= 0:
        return 0.0, stretches
    roots = np.sqrt(shares)
    values, vectors = np.linalg.eigh(products / unit * roots[:, None] * roots)
    stretches[kept] = (products / unit @ (roots * vectors[:, -1])) ** 2
    return float(unit * values[-1]), stretches
