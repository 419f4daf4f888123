"""Nearest neighbour mixing: which vectors are mixed, and what the rule after it sees."""

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, normal, ties

from guanyu_mpi.aggregation import RULES, bind
from guanyu_mpi.aggregation.kernels import default_kernels
from guanyu_mpi.aggregation.nnm import nnm, nnm_kappa
from guanyu_mpi.aggregation.points import Points

SIZES = [(1, 0), (3, 1), (7, 2), (10, 3), (13, 5)]
ALMOST_ALL = sorted(name for name in CASES if not name.startswith("one row"))


def mixed(vectors: Float64s, f: int) -> Float64s:
    rows = []
    for row in vectors:
        away = ((vectors - row) ** 2).sum(axis=1)
        nearest = sorted(range(len(vectors)), key=lambda i, away=away: (away[i], i))
        rows.append(vectors[nearest[: len(vectors) - f]].mean(axis=0))
    return np.array(rows)


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", ALMOST_ALL)
def test_median_after_it_is_that_of_the_mixed_vectors(case: str, n: int, f: int) -> None:
    vectors = CASES[case](n, f)
    expected = np.median(mixed(vectors, f), axis=0)
    result = bind("median", n=n, f=f, pre=["nnm"])(vectors)
    assert np.allclose(result, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", ["random", "clusters", "attackers together", "large common mean"])
def test_geometry_after_it_is_that_of_the_mixed_vectors(case: str, n: int, f: int) -> None:
    vectors = CASES[case](n, f)
    expected = mixed(vectors, f)
    points = nnm(Points(list(vectors), default_kernels()), f)
    squared = ((expected[:, None] - expected) ** 2).sum(axis=2)
    assert np.allclose(points.squared, squared, rtol=1e-6, atol=1e-6)
    assert np.allclose(points.lengths, (expected**2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_of_equal_distances_the_first_is_nearer(seed: int) -> None:
    vectors = ties(9, seed)
    expected = mixed(vectors, 3).mean(axis=0)
    result = bind("average", n=9, f=3, pre=["nnm"])(vectors)
    assert np.allclose(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1e4, -1e30, 1e300])
@pytest.mark.parametrize("name", ["median", "krum", "geometric-median", "cge"])
def test_f_vectors_far_away_are_mixed_into_no_honest_one(name: str, size: float) -> None:
    vectors = normal(9, "far")
    vectors[[0, 4, 8]] = size
    honest = np.delete(vectors, [0, 4, 8], axis=0)
    result = bind(name, n=9, f=3, pre=["nnm"])(vectors)
    assert np.allclose(result, honest.mean(axis=0), atol=5)


def test_without_byzantine_vectors_all_become_the_mean() -> None:
    vectors = normal(7, "mean")
    result = bind("krum", n=7, f=0, pre=["nnm"])(vectors)
    assert np.allclose(result, vectors.mean(axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(name for name, rule in RULES.items() if rule.kappa))
def test_kappa_after_it_is_within_a_constant_of_the_lower_bound(name: str) -> None:
    # f / (n - 2f) is the least that any rule can have. Allouah et al., AISTATS 2023.
    kappa = RULES[name].kappa
    assert kappa
    for n in (10, 100, 1000):
        f = n // 10
        assert f / (n - 2 * f) <= nnm_kappa(kappa(n, f), n, f) <= 60 * f / (n - 2 * f)


@pytest.mark.parametrize("name", ["trimmed-mean", "median", "krum", "geometric-median"])
@pytest.mark.parametrize("case", ["random", "a little is enough", "attackers together"])
@pytest.mark.parametrize("pre", [[], ["nnm"]])
def test_result_keeps_the_promise_of_kappa(name: str, case: str, pre: list[str]) -> None:
    n, f = 11, 2
    vectors, kappa = CASES[case](n, f), RULES[name].kappa
    assert kappa
    bound = nnm_kappa(kappa(n, f), n, f) if pre else kappa(n, f)
    honest = vectors[f:]
    error = ((bind(name, n=n, f=f, pre=pre)(vectors) - honest.mean(axis=0)) ** 2).sum()
    assert error <= bound * ((honest - honest.mean(axis=0)) ** 2).sum(axis=1).mean()
