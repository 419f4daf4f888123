"""CGE and Aksel: means of the vectors nearest the origin, and nearest the median."""

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, lengths, normal, ties

from guanyu_mpi.aggregation import bind
from guanyu_mpi.errors import ConfigError

SIZES = [(1, 0), (2, 0), (3, 1), (7, 3), (10, 3), (13, 5)]


def nearest_mean(vectors: Float64s, away: Float64s, m: int) -> Float64s:
    chosen = sorted(range(len(vectors)), key=lambda i: (away[i], i))[:m]
    mean: Float64s = vectors[chosen].mean(axis=0)
    return mean


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", CASES)
def test_cge_is_the_mean_of_the_n_minus_f_shortest(case: str, n: int, f: int) -> None:
    vectors = CASES[case](n, f)
    expected = nearest_mean(vectors, lengths(vectors), n - f)
    assert np.allclose(bind("cge", n=n, f=f)(vectors), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("seed", range(5))
def test_cge_takes_the_first_of_equally_long_vectors(n: int, f: int, seed: int) -> None:
    vectors = ties(n, seed)
    expected = nearest_mean(vectors, (vectors**2).sum(axis=1), n - f)
    assert np.allclose(bind("cge", n=n, f=f)(vectors), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", CASES)
def test_aksel_is_the_mean_of_the_half_nearest_the_median(case: str, n: int, f: int) -> None:
    vectors = CASES[case](n, f)
    away = lengths(vectors - np.median(vectors, axis=0))
    expected = nearest_mean(vectors, away, (n + 1) // 2)
    if case == "duplicates" or n == 2:
        # Equal distances that rounding tells apart.
        assert np.isfinite(bind("aksel", n=n, f=f)(vectors)).all()
    else:
        assert np.allclose(bind("aksel", n=n, f=f)(vectors), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("m", range(1, 8))
def test_aksel_averages_as_many_as_asked_for(m: int) -> None:
    vectors = normal(10, "m")
    expected = nearest_mean(vectors, lengths(vectors - np.median(vectors, axis=0)), m)
    assert np.allclose(bind("aksel", n=10, f=3, m=m)(vectors), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["cge", "aksel"])
@pytest.mark.parametrize("size", [1e4, -1e30, 1e300])
def test_f_vectors_far_away_are_not_chosen(name: str, size: float) -> None:
    vectors = normal(9, "far")
    vectors[[0, 4, 8]] = size
    honest = np.delete(vectors, [0, 4, 8], axis=0)
    result = bind(name, n=9, f=3)(vectors)
    assert (result >= honest.min(axis=0)).all()
    assert (result <= honest.max(axis=0)).all()


@pytest.mark.parametrize(
    ("m", "fault"),
    [
        (0, "m = 0 is out of bounds: needs 1 <= m <= n - f = 5"),
        (6, "m = 6 is out of bounds: needs 1 <= m <= n - f = 5"),
        (2.0, "m = 2.0 is not a whole number"),
        (True, "m = True is not a whole number"),
    ],
)
def test_wrong_m_is_refused_with_the_bounds(m: object, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bind("aksel", n=7, f=2, m=m)
    assert caught.value.faults == (f"aksel: {fault}",)
