"""Bulyan over Multi-Krum: what is averaged, in which order it goes, and what is left."""

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, normal, ties

from guanyu_mpi.aggregation import bind
from guanyu_mpi.aggregation.bulyan import bulyan_mixing

SIZES = [(3, 0), (5, 0), (7, 1), (10, 1), (11, 2), (19, 4)]


def mixing(vectors: Float64s, f: int) -> Float64s:
    """Round by round with lists, each score a sum over the pairs that still count."""
    n = len(vectors)
    with np.errstate(over="ignore"):
        squared = np.minimum(((vectors[:, None] - vectors) ** 2).sum(axis=2), 1e290)
    near = {
        i: sorted((j for j in range(n) if j != i), key=lambda j, i=i: squared[i, j])[: n - f - 2]
        for i in range(n)
    }
    left, rows = list(range(n)), []
    for k in range(n - 2 * f - 2):
        score = {i: sum(squared[i, j] for j in near[i] if j in left) for i in left}
        left.sort(key=lambda i, score=score: (score[i], i))
        chosen = left[: n - f - 2 - k]
        rows.append([1 / len(chosen) if i in chosen else 0.0 for i in range(n)])
        left = left[1:]
    return np.array(rows)


def bulyan(vectors: Float64s, f: int) -> Float64s:
    averages = mixing(vectors, f) @ vectors
    keep = len(vectors) - 4 * f - 2
    result = []
    for column in averages.T:
        middle = np.median(column)
        result.append(np.mean(sorted(column, key=lambda value, at=middle: abs(value - at))[:keep]))
    return np.array(result)


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", CASES)
def test_result_is_that_of_the_definition(case: str, n: int, f: int) -> None:
    vectors = CASES[case](n, f)
    result = bind("bulyan", n=n, f=f)(vectors)
    if case.startswith("one row") and f == 0:
        assert np.isfinite(result).all()
    else:
        assert np.allclose(result, bulyan(vectors, f), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("seed", range(10))
def test_of_equal_scores_the_first_is_better(n: int, f: int, seed: int) -> None:
    vectors = ties(n, seed)
    squared = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
    assert np.array_equal(bulyan_mixing(squared, f), mixing(vectors, f))


def test_removed_vector_leaves_the_scores_of_those_that_counted_it() -> None:
    # Scores 123, 90, 54, 57, 76, 105, 27204: rows 2, 3, 4, 1 are the best at first. Row 2 takes 4
    # with it from the score of row 1, but 36 from that of row 5, which is better from then on.
    vectors = np.array([[0.0], [1.0], [3.0], [7.0], [8.0], [9.0], [90.0]])
    weights = bulyan_mixing((vectors - vectors.T) ** 2, f=1)
    assert np.flatnonzero(weights[0]).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(weights[1]).tolist() == [3, 4, 5]


def test_enormous_distance_leaves_no_rounding_error_as_score() -> None:
    # With f = 0 a row counts all others but one; the enormous one goes last, its digits with it.
    squared = np.array(
        [[0, 1e30, 1, 4], [1e30, 0, 1e30, 1e30], [1, 1e30, 0, 2], [4, 1e30, 2, 0]], dtype=float
    )
    weights = bulyan_mixing(squared, f=0)
    assert [np.flatnonzero(row).tolist() for row in weights] == [[0, 2], [0]]


@pytest.mark.parametrize(("n", "f"), SIZES)
def test_averages_are_of_n_minus_f_minus_2_vectors_and_fewer(n: int, f: int) -> None:
    vectors = normal(n, "sizes")
    weights = bulyan_mixing(((vectors[:, None] - vectors) ** 2).sum(axis=2), f)
    assert (weights > 0).sum(axis=1).tolist() == list(range(n - f - 2, f, -1))
    assert np.allclose(weights.sum(axis=1), 1)


@pytest.mark.parametrize("size", [1e4, -1e30, 1e300])
def test_f_vectors_far_away_are_in_no_average(size: float) -> None:
    vectors = normal(11, "far")
    vectors[[2, 7]] = size
    honest = np.delete(vectors, [2, 7], axis=0)
    result = bind("bulyan", n=11, f=2)(vectors)
    assert (result >= honest.min(axis=0)).all()
    assert (result <= honest.max(axis=0)).all()
