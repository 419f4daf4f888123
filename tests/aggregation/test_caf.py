"""The covariance-bound agnostic filter: with covariances in d dimensions, and its limits."""

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, lengths, normal

from guanyu_mpi.aggregation import bind

SIZES = [(3, 1), (7, 2), (7, 3), (10, 3), (13, 5), (20, 6)]
# An enormous row leaves no digits for the others in a covariance matrix.
MODERATE = sorted(name for name in CASES if not name.startswith("one row"))


def filtered(vectors: Float64s, f: int) -> Float64s:
    """With the covariance matrix (d, d) itself."""
    weights = np.ones(len(vectors))
    best, least = vectors.mean(axis=0), np.inf
    while weights.sum() > len(vectors) - 2 * f:
        mean = weights @ vectors / weights.sum()
        centred = vectors - mean
        covariance = (weights[:, None] * centred).T @ centred / weights.sum()
        values, directions = np.linalg.eigh(covariance)
        if values[-1] < least:
            best, least = mean, values[-1]
        stretches = np.where(weights > 0, (centred @ directions[:, -1]) ** 2, 0)
        if stretches.max() < 1e-20:
            break
        weights = weights * (1 - stretches / stretches.max())
    return best


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", MODERATE)
def test_result_is_that_of_the_filter_in_d_dimensions(case: str, n: int, f: int) -> None:
    vectors = CASES[case](n, f)
    expected = filtered(vectors, f)
    assert np.allclose(bind("caf", n=n, f=f)(vectors), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("size", [1e12, -1e30, 1e140, 1e300])
def test_enormous_vectors_lose_their_weight_first(n: int, f: int, size: float) -> None:
    vectors = normal(n, "enormous")
    vectors[:f] = size * np.arange(1, f + 1)[:, None] / f
    result = bind("caf", n=n, f=f)(vectors)
    assert (result >= vectors[f:].min(axis=0)).all()
    assert (result <= vectors[f:].max(axis=0)).all()


def test_without_byzantine_vectors_it_is_the_mean() -> None:
    vectors = normal(8, "mean")
    expected = bind("average", n=8, f=0)(vectors)
    assert np.array_equal(bind("caf", n=8, f=0)(vectors), expected)


def test_equal_vectors_but_for_f_others_give_that_one() -> None:
    vectors = np.tile(normal(1, "equal"), (7, 1))
    vectors[[2, 5]] += normal(2, "others")
    assert np.allclose(bind("caf", n=7, f=2)(vectors), vectors[0], rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_vectors_that_pull_together_are_left_behind(seed: int) -> None:
    vectors = normal(20, "pull", seed)
    honest = vectors[5:].mean(axis=0)
    vectors[:5] = honest + 4.0
    error = lengths(np.stack([bind("caf", n=20, f=5)(vectors), vectors.mean(axis=0)]) - honest)
    assert error[0] < 0.5
    assert error[1] > 2
