"""Minimum diameter averaging: exact, in a bounded time, and blind to the order of vectors."""

from itertools import combinations
from time import process_time

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, normal, ties

from guanyu_mpi.aggregation import bind
from guanyu_mpi.aggregation.mda import cover, least_diameter
from guanyu_mpi.seeds import stream

SIZES = [(1, 0), (3, 1), (5, 1), (5, 2), (8, 3), (11, 5), (12, 4)]


def squared_distances(vectors: Float64s) -> Float64s:
    with np.errstate(over="ignore"):
        squared: Float64s = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
    return np.minimum(squared, 1e290)


def diameter(squared: Float64s, chosen: tuple[int, ...]) -> float:
    return float(squared[np.ix_(chosen, chosen)].max())


def least(squared: Float64s, f: int) -> float:
    """By trying all subsets."""
    n = len(squared)
    return min(diameter(squared, chosen) for chosen in combinations(range(n), n - f))


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", CASES)
def test_no_subset_has_a_lesser_diameter(case: str, n: int, f: int) -> None:
    squared = squared_distances(CASES[case](n, f))
    chosen = least_diameter(squared, f)
    assert len(set(chosen.tolist())) == n - f
    assert diameter(squared, tuple(chosen)) == least(squared, f)


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("seed", range(20))
def test_no_subset_has_a_lesser_diameter_where_many_are_equal(n: int, f: int, seed: int) -> None:
    squared = squared_distances(ties(n, seed))
    chosen = least_diameter(squared, f)
    assert len(chosen) == n - f
    assert diameter(squared, tuple(chosen)) == least(squared, f)


@pytest.mark.parametrize("seed", range(200))
def test_cover_is_found_just_where_there_is_one(seed: int) -> None:
    rng = stream(6, "cover", seed)
    n = int(rng.integers(1, 10))
    upper = np.triu(rng.random((n, n)) < rng.random(), 1)
    edges = [sum(1 << int(j) for j in np.flatnonzero(row)) for row in upper | upper.T]
    pairs = list(zip(*np.nonzero(upper), strict=True))

    def covers(taken: int) -> bool:
        return all(taken >> int(i) & 1 or taken >> int(j) & 1 for i, j in pairs)

    fewest = min(taken.bit_count() for taken in range(1 << n) if covers(taken))
    for most in range(n + 1):
        found = cover(edges, (1 << n) - 1, most)
        assert (found is not None) == (most >= fewest), (edges, most)
        assert found is None or (covers(found) and found.bit_count() <= most), (edges, most)


@pytest.mark.parametrize(("n", "f"), [(5, 2), (9, 4), (13, 3), (25, 8)])
@pytest.mark.parametrize("case", ["random", "large common mean", "clusters", "attackers together"])
def test_choice_moves_with_the_vectors(case: str, n: int, f: int) -> None:
    squared = squared_distances(CASES[case](n, f))
    chosen = set(least_diameter(squared, f).tolist())
    for seed in range(5):
        order = stream(6, "order", n, seed).permutation(n)
        moved = least_diameter(squared[np.ix_(order, order)], f)
        assert set(order[moved].tolist()) == chosen


def test_choice_moves_with_the_vectors_where_two_sets_share_their_farthest_pair() -> None:
    # 0 and 10 are the farthest pair of any best set; either 4 or 5.5 is the third.
    squared = squared_distances(np.array([[0.0], [10.0], [4.0], [5.5], [99.0]]))
    results = set()
    for seed in range(20):
        order = stream(6, "shared", seed).permutation(5)
        chosen = least_diameter(squared[np.ix_(order, order)], f=2)
        results.add(frozenset(order[chosen].tolist()))
    assert len(results) == 1


@pytest.mark.parametrize("case", CASES)
def test_result_is_the_mean_of_the_chosen(case: str) -> None:
    vectors = CASES[case](9, 3)
    chosen = least_diameter(squared_distances(vectors), 3)
    expected = vectors[chosen].mean(axis=0)
    assert np.allclose(bind("mda", n=9, f=3)(vectors), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1e4, -1e30, 1e300])
def test_f_vectors_far_away_are_not_chosen(size: float) -> None:
    vectors = normal(9, "far")
    vectors[[0, 4, 8]] = size
    expected = np.delete(vectors, [0, 4, 8], axis=0).mean(axis=0)
    assert np.allclose(bind("mda", n=9, f=3)(vectors), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("n", "f"), [(40, 13), (100, 33)])
def test_search_takes_no_more_than_a_second(n: int, f: int) -> None:
    # 50 ms were measured at the worst; all subsets would take hours. High dimensions are hardest.
    for d in (1, 5, 1000):
        rng = stream(6, "time", n, d)
        vectors = rng.standard_normal((n, d))
        start = process_time()
        least_diameter(np.square(vectors[:, None] - vectors).sum(axis=2), f)
        assert process_time() - start < 1
