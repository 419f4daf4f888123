"""Minimum diameter averaging: the mean of the n - f vectors that lie closest together."""

from collections.abc import Sequence

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s, Indices, Mask, Row
from guanyu_mpi.aggregation.points import Points


def mda(points: Points[Row], f: int) -> Row:
    """Mean of the n - f vectors whose largest distance is least, (n, d) -> (d,).

    El-Mhamdi et al., "Genuinely distributed Byzantine machine learning", PODC 2020; it is called
    Brute by others. Requires n >= 2f + 1. Which of several such sets is taken, `least_diameter`
    says.

    >>> from guanyu_mpi.aggregation import bind
    >>> vectors = np.array([[1.0, 5.0, 0.0], [2.0, 7.0, 0.5], [90.0, -90.0, 90.0]])
    >>> bind("mda", n=3, f=1)(vectors).tolist()
    [1.5, 6.0, 0.25]
    """
    return points.mean(least_diameter(points.squared, f))


def least_diameter(squared: Float64s, f: int) -> Indices:
    """The n - f of n vectors whose largest distance is least, (n, n) -> (n - f,), in order.

    Exact: n - f vectors have a diameter of at most t if f others cover all pairs farther apart
    than t, and the least such t is found by bisection over the distances. Sets that share their
    farthest pair are equally good. The search meets vectors in ascending order of the sum of
    distances to their n - f nearest, and what it finds first stands: the order of the vectors
    themselves matters only where these sums are equal.

    >>> points = np.array([[0.0], [1.0], [3.0], [7.0], [8.0], [9.0], [90.0]])
    >>> least_diameter((points - points.T) ** 2, f=3).tolist()
    [2, 3, 4, 5]
    """
    n = len(squared)
    order = np.argsort(np.sort(squared, axis=1)[:, : n - f].sum(axis=1), kind="stable")
    ordered = squared[np.ix_(order, order)]
    diameters = np.unique(ordered)
    low, high, covered = 0, len(diameters) - 1, 0
    while low < high:
        middle = (low + high) // 2
        found = cover(_bits(ordered > diameters[middle]), (1 << n) - 1, f)
        if found is None:
            low = middle + 1
        else:
            high, covered = middle, found
    kept = [i for i in range(n) if not covered >> i & 1]
    return np.sort(order[kept[: n - f]])


def cover(edges: Sequence[int], left: int, most: int) -> int | None:
    """At most `most` vertices that touch every edge between the vertices `left`, if there are.

    Sets are the bits of a number, and edges[v] the neighbours of v.

    >>> bin(cover([0b0010, 0b1101, 0b0010, 0b0010], left=0b1111, most=1))
    '0b10'
    >>> cover([0b110, 0b101, 0b011], left=0b111, most=1)
    """
    taken = 0
    while True:
        most_left = most - taken.bit_count()
        left, degree, widest, forced = _survey(edges, left, most_left)
        if not forced:
            break
        left, taken = left & ~forced, taken | forced
    if degree == 0:
        return taken
    if _needed(edges, left) > most_left:
        return None
    neighbours = edges[widest] & left
    # Where no vertex has three neighbours only circles are left, and of these every vertex is in
    # some least cover: the second branch could not do better.
    for branch in (1 << widest, neighbours)[: degree - 1]:
        outside = left & ~(1 << widest | branch)
        if (rest := cover(edges, outside, most_left - branch.bit_count())) is not None:
            return taken | branch | rest
    return None


def _survey(edges: Sequence[int], left: int, most: int) -> tuple[int, int, int, int]:
    """Vertices with neighbours, the greatest degree and whose it is, and what must be taken."""
    greatest, widest, rest = 0, -1, left
    while rest:
        bit = rest & -rest
        rest ^= bit
        neighbours = edges[bit.bit_length() - 1] & left
        degree = neighbours.bit_count()
        if degree == 0:
            left ^= bit
        elif degree == 1 and most > 0:
            # Taking the only neighbour covers all that taking the vertex would.
            return left, degree, widest, neighbours
        elif degree > most > 0:
            # All its neighbours would be too many.
            return left, degree, widest, bit
        elif degree > greatest:
            greatest, widest = degree, bit.bit_length() - 1
    return left, greatest, widest, 0


def _needed(edges: Sequence[int], left: int) -> int:
    """A lower bound on a cover's size: of vertices that are all neighbours one may be missing."""
    needed = 0
    while left:
        first = left & -left
        left ^= first
        neighbours = edges[first.bit_length() - 1] & left
        while neighbours:
            bit = neighbours & -neighbours
            left ^= bit
            needed += 1
            neighbours &= edges[bit.bit_length() - 1]
    return needed


def _bits(rows: Mask) -> list[int]:
    """Each row of truth values as a number, the first value its lowest bit."""
    packed = np.packbits(rows, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
