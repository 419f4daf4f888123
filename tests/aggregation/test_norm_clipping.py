"""Clipping and ARC: who is shortened, to what length, and what the rule after it sees."""

from fractions import Fraction

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, lengths, normal

from guanyu_mpi.aggregation import PRE, bind
from guanyu_mpi.aggregation.geometric_median import FAR
from guanyu_mpi.aggregation.kernels import default_kernels
from guanyu_mpi.aggregation.norm_clipping import arc, clipping
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.errors import ConfigError

SIZES = [(1, 0), (2, 1), (3, 1), (7, 2), (10, 3), (13, 5)]
ALMOST_ALL = sorted(name for name in CASES if not name.startswith("one row"))


def points(vectors: Float64s) -> Points[Float64s]:
    return Points(list(vectors), default_kernels())


def rows(points: Points[Float64s]) -> Float64s:
    return np.array([points.combination(unit) for unit in np.eye(len(points))])


def shortened(vectors: Float64s, bound: float) -> Float64s:
    """Those FAR times too long become zero."""
    result = vectors.copy()
    for i, length in enumerate(lengths(vectors)):
        if length > bound:
            result[i] *= 0 if length > FAR * bound else bound / length
    return result


def arc_bound(vectors: Float64s, f: int) -> float:
    n = len(vectors)
    k = int(2 * Fraction(f, n) * (n - f))
    return float(sorted(lengths(vectors), reverse=True)[k])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("tau", [1e-3, 2.0, 1e4])
def test_vectors_longer_than_tau_are_shortened_to_it(case: str, tau: float) -> None:
    vectors = CASES[case](10, 3)
    result = rows(clipping(points(vectors), 3, tau))
    assert np.allclose(result, shortened(vectors, tau), rtol=1e-12, atol=1e-300)
    assert (lengths(result) <= tau * (1 + 1e-12)).all()


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", CASES)
def test_arc_shortens_the_k_longest_to_the_next(case: str, n: int, f: int) -> None:
    vectors = CASES[case](n, f)
    expected = shortened(vectors, arc_bound(vectors, f))
    assert np.allclose(rows(arc(points(vectors), f)), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", ["random", "clusters", "attackers far away", "one row of 1e30"])
def test_geometry_after_it_is_that_of_the_shortened_vectors(case: str) -> None:
    vectors = CASES[case](10, 3)
    after = clipping(points(vectors), 3, 2.0)
    expected = shortened(vectors, 2.0)
    squared = ((expected[:, None] - expected) ** 2).sum(axis=2)
    assert np.allclose(after.squared, squared, rtol=1e-6, atol=1e-6)
    assert np.allclose(after.lengths, (expected**2).sum(axis=1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("times", [1e3, 1e5, 1e7, 9e7])
def test_distances_of_a_vector_that_was_much_too_long_still_have_digits(times: float) -> None:
    vectors = normal(6, "digits")
    vectors[2] *= times
    expected = shortened(vectors, 1.0)
    squared = ((expected[:, None] - expected) ** 2).sum(axis=2)
    assert np.allclose(clipping(points(vectors), 1, 1.0).squared, squared, rtol=1e-5, atol=1e-6)


def test_vectors_that_are_short_enough_are_not_touched() -> None:
    before = points(normal(5, "short"))
    assert clipping(before, 1, 100.0) is before
    assert arc(before, 0) is before


@pytest.mark.parametrize("size", [1e4, -1e30, 1e300])
def test_f_vectors_cannot_lengthen_the_average_after_arc(size: float) -> None:
    vectors = normal(9, "average")
    vectors[[0, 4, 8]] = size
    result = bind("average", n=9, f=3, pre=["arc"])(vectors)
    assert lengths(result[None])[0] <= lengths(np.delete(vectors, [0, 4, 8], axis=0)).max()


@pytest.mark.parametrize("tau", [1e-200, 1e200])
def test_any_tau_gives_finite_vectors(tau: float) -> None:
    vectors = CASES["one row of 1e300"](5, 1)
    rule = bind("average", n=5, f=1, pre=["clipping"], pre_options={"clipping": {"tau": tau}})
    assert np.isfinite(rule(vectors)).all()


@pytest.mark.parametrize("tau", [0, -1.0, float("inf"), float("nan")])
def test_wrong_tau_is_refused_with_the_bounds(tau: object) -> None:
    with pytest.raises(ConfigError) as caught:
        bind("average", n=9, f=1, pre=["clipping"], pre_options={"clipping": {"tau": tau}})
    assert caught.value.faults == (
        f"clipping: tau = {tau} is out of bounds: needs a finite tau > 0",
    )


def test_clipping_without_a_tau_is_refused() -> None:
    assert PRE["clipping"].required == ("tau",)
    with pytest.raises(ConfigError) as caught:
        bind("average", n=9, f=1, pre=["clipping"])
    assert caught.value.faults == ("clipping: option 'tau' is missing",)
