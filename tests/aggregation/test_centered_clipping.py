"""Centered clipping: the iteration in d dimensions, and how far it can be moved."""

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, lengths, normal

from guanyu_mpi.aggregation import bind
from guanyu_mpi.aggregation.geometric_median import FAR
from guanyu_mpi.errors import ConfigError

SIZES = [(3, 0), (3, 1), (7, 3), (10, 3), (13, 5)]


def medoid(vectors: Float64s, f: int) -> int:
    """Of equal sums of distances that with the nearer n - f counts."""
    away = [np.sort(lengths(vectors - row)) for row in vectors]
    return min((row.sum(), row[: len(vectors) - f].sum(), i) for i, row in enumerate(away))[2]


def clipped(vectors: Float64s, f: int, tau: float | None = None, iterations: int = 3) -> Float64s:
    """The iteration on vectors; those too far away stand still."""
    v = vectors[medoid(vectors, f)]
    for _ in range(iterations):
        away = lengths(vectors - v)
        radius = float(np.median(away)) if tau is None else tau
        steps = [
            (row - v) * min(1.0, radius / distance)
            for row, distance in zip(vectors, away, strict=True)
            if 0 < distance <= FAR * radius
        ]
        v = v + sum(steps) / len(vectors)
    return v


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("tau", [None, 0.1, 2.0])
def test_result_is_that_of_the_iteration_in_d_dimensions(
    case: str, n: int, f: int, tau: float | None
) -> None:
    vectors = CASES[case](n, f)
    options = {} if tau is None else {"tau": tau}
    result = bind("centered-clipping", n=n, f=f, **options)(vectors)
    assert np.allclose(result, clipped(vectors, f, tau), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("iterations", [1, 2, 20])
def test_iterations_are_as_many_as_asked_for(iterations: int) -> None:
    vectors = normal(9, "iterations")
    result = bind("centered-clipping", n=9, f=2, tau=0.7, iterations=iterations)(vectors)
    assert np.allclose(result, clipped(vectors, 2, 0.7, iterations), rtol=1e-9, atol=1e-9)


def test_tau_that_nothing_reaches_gives_the_mean() -> None:
    vectors = normal(9, "mean")
    result = bind("centered-clipping", n=9, f=2, tau=1e6, iterations=1)(vectors)
    assert np.allclose(result, vectors.mean(axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1e3, 1e7, 1e9, 1e15, 1e30, 1e150, 1e300])
@pytest.mark.parametrize("iterations", [1, 3])
def test_result_is_within_tau_per_iteration_of_an_honest_vector(
    size: float, iterations: int
) -> None:
    vectors = normal(10, "moved")
    vectors[[0, 4, 9]] = size
    honest = np.delete(vectors, [0, 4, 9], axis=0)
    rule = bind("centered-clipping", n=10, f=3, tau=0.2, iterations=iterations)
    assert lengths(honest - rule(vectors)).min() <= 0.2 * iterations


@pytest.mark.parametrize("size", [1e3, 1e9, 1e30, 1e300])
@pytest.mark.parametrize(("n", "f"), [(3, 1), (9, 4), (10, 4)])
def test_f_vectors_cannot_widen_the_bound_that_is_found(n: int, f: int, size: float) -> None:
    vectors = normal(n, "widened")
    vectors[:f] = size
    furthest = lengths(vectors[f:]).max()
    # A step is at most the median distance, which is at most 2 furthest, and grows by as much.
    result = bind("centered-clipping", n=n, f=f)(vectors)
    assert lengths(result[None])[0] <= (1 + 2 + 4 + 8) * furthest


def test_vectors_of_which_more_than_half_are_equal_give_that_one() -> None:
    vectors = normal(7, "equal")
    vectors[[1, 3, 4, 6]] = vectors[1]
    assert np.array_equal(bind("centered-clipping", n=7, f=3)(vectors), vectors[1])


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("tau", 0, "tau = 0 is out of bounds: needs a finite tau > 0"),
        ("tau", float("inf"), "tau = inf is out of bounds: needs a finite tau > 0"),
        ("tau", 10**400, f"tau = {10**400} is out of bounds: needs a finite tau > 0"),
        ("tau", float("nan"), "tau = nan is out of bounds: needs a finite tau > 0"),
        ("tau", "2", "tau = '2' is not a number"),
        ("tau", True, "tau = True is not a number"),
        ("iterations", 0, "iterations = 0 is out of bounds: needs iterations >= 1"),
    ],
)
def test_wrong_option_is_refused_with_the_bounds(option: str, value: object, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bind("centered-clipping", n=7, f=2, **{option: value})
    assert caught.value.faults == (f"centered-clipping: {fault}",)
