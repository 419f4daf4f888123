"""Bucketing: the rule sees averages of a few vectors each, drawn at random."""

import numpy as np

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.seeds import stream


def bucketing(points: Points[Row], f: int, s: int = 2) -> Points[Row]:  # noqa: ARG001 - every one takes f
    """Means of s vectors each, of which the last one may have fewer, in a random order.

    Karimireddy, He, Jaggi, ICLR 2022. A Byzantine vector spoils one bucket: f of them may be
    Byzantine, of ceil(n / s). The order is a pure function of the vectors, whoever sent them: they
    are sorted by their geometry, which also seeds the permutation. Whoever knows all vectors can
    foresee it; that f buckets are spoilt at most holds for every order.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [1.0, 5.0, 0.0], [1.0, 5.0, 0.0]])
    >>> bind("average", n=3, f=0, pre=["bucketing"])(vectors).tolist()
    [1.0, 5.0, 0.0]
    """
    n = len(points)
    order = _shuffled(points)
    mixing = np.zeros((buckets(n, s), n))
    for bucket, start in zip(mixing, range(0, n, s), strict=True):
        members = order[start : start + s]
        bucket[members] = 1 / len(members)
    return points.mixed(mixing)


def buckets(n: int, s: int = 2) -> int:
    """How many buckets of s hold n vectors.

    >>> buckets(7), buckets(7, s=3), buckets(7, s=9)
    (4, 3, 1)
    """
    return -(-n // s)


def s_fault(s: object, n: int, f: int) -> str:  # noqa: ARG001 - as every OptionFault
    """What is wrong with a size of buckets, in the user's words; empty if nothing is.

    >>> s_fault(0, n=7, f=2)
    's = 0 is out of bounds: needs s >= 1'
    """
    if not isinstance(s, int) or isinstance(s, bool):
        return f"s = {s!r} is not a whole number"
    return "" if s >= 1 else f"s = {s} is out of bounds: needs s >= 1"


def _shuffled(points: Points[Row]) -> list[int]:
    """The vectors' places in a random order that does not depend on those places.

    What is known of a vector is its length and its distances to the others. They are rounded: the
    last digits of combinations of vectors do depend on the order of those.
    """
    known = np.column_stack([points.lengths, np.sort(points.squared, axis=1)])
    signatures = [" ".join(f"{value:.6e}" for value in row) for row in known]
    sorted_places = sorted(range(len(points)), key=signatures.__getitem__)
    shuffle = stream(0, "bucketing", *sorted(signatures)).permutation(len(points))
    return [sorted_places[k] for k in shuffle]
