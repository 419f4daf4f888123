"""The geometric median: the iteration in d dimensions, and what its result is least in."""

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, lengths, normal

from guanyu_mpi.aggregation import bind
from guanyu_mpi.aggregation.geometric_median import FAR, distances_from, medoid
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.seeds import stream

SIZES = [(3, 0), (3, 1), (7, 3), (10, 3), (13, 5)]


def distances(vectors: Float64s, z: Float64s) -> Float64s:
    return lengths(vectors - z)


def weiszfeld(vectors: Float64s, f: int, iterations: int = 100, nu: float = 1e-6) -> Float64s:
    """The iteration on vectors, from the same start, and without those too far away."""
    sums = [distances(vectors, row).sum() for row in vectors]
    centre = vectors[int(np.argmin(sums))]
    away = distances(vectors, centre)
    scale = np.sort(away)[1:][(len(vectors) - 2) // 2]
    if scale == 0:
        return centre
    order = np.argsort(away, kind="stable")[: len(vectors) - f]
    z = np.mean([vectors[i] for i in order if away[i] <= FAR * scale], axis=0)
    vectors = vectors[away <= FAR * scale]
    for _ in range(iterations):
        pulls = 1 / np.maximum(distances(vectors, z), nu * scale)
        z = pulls @ vectors / pulls.sum()
    return z


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("case", CASES)
def test_result_is_that_of_the_iteration_in_d_dimensions(case: str, n: int, f: int) -> None:
    vectors = CASES[case](n, f)
    result = bind("geometric-median", n=n, f=f)(vectors)
    assert np.allclose(result, weiszfeld(vectors, f), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("iterations", [1, 2, 8])
@pytest.mark.parametrize("smoothing", [1e-6, 0.5])
def test_options_are_those_of_the_iteration(iterations: int, smoothing: float) -> None:
    vectors = normal(9, "options")
    rule = bind("geometric-median", n=9, f=2, iterations=iterations, smoothing=smoothing)
    expected = weiszfeld(vectors, 2, iterations, smoothing)
    assert np.allclose(rule(vectors), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", ["random", "large common mean", "clusters", "attackers together"])
def test_no_point_nearby_has_a_lesser_sum_of_distances(case: str) -> None:
    vectors = CASES[case](11, 4)
    result = bind("geometric-median", n=11, f=4)(vectors)
    least = distances(vectors, result).sum()
    for seed in range(50):
        step = stream(6, "nearby", seed).standard_normal(len(result))
        assert distances(vectors, result + 0.01 * step).sum() >= least - 1e-6


def test_on_a_line_it_is_the_median() -> None:
    vectors = np.array([[5.0, 5.0], [1.0, 1.0], [90.0, 90.0], [2.0, 2.0], [4.0, 4.0]])
    assert np.allclose(bind("geometric-median", n=5, f=2)(vectors), [4.0, 4.0], atol=1e-4)


@pytest.mark.parametrize("size", [1e3, 1e7, 1e9, 1e15, 1e30, 1e150, 1e300])
@pytest.mark.parametrize(("n", "f"), [(3, 1), (9, 4), (10, 4)])
def test_f_vectors_move_it_by_a_few_honest_distances_at_most(n: int, f: int, size: float) -> None:
    # With |z| > 2 (n - f) / (n - 2f) max |x_i| over the honest i, the origin would be better.
    vectors = normal(n, "moved")
    vectors[:f] = size
    bound = 2 * (n - f) / (n - 2 * f) * lengths(vectors[f:]).max()
    assert lengths(bind("geometric-median", n=n, f=f)(vectors)[None])[0] <= bound


def test_vectors_of_which_more_than_half_are_equal_give_that_one() -> None:
    vectors = normal(7, "equal")
    vectors[[1, 3, 4, 6]] = vectors[1]
    assert np.array_equal(bind("geometric-median", n=7, f=3)(vectors), vectors[1])


@pytest.mark.parametrize("size", [3.0, 1e30, 1e300])
def test_of_two_vectors_the_result_is_between_them(size: float) -> None:
    vectors = np.array([[1.0, -1.0], [size, -size]])
    result = bind("geometric-median", n=2, f=0)(vectors)
    assert (np.abs(result) >= 1).all()
    assert (np.abs(result) <= size).all()


def test_single_vector_is_its_own_median() -> None:
    vectors = normal(1, "single")
    assert np.array_equal(bind("geometric-median", n=1, f=0)(vectors), vectors[0])


def test_medoid_is_told_by_the_small_distances_where_a_large_one_hides_them() -> None:
    points = np.array([[0.0], [4.0], [3.0], [2.0], [1e30]])
    assert medoid((points - points.T) ** 2, f=1) == 2


@pytest.mark.parametrize("case", ["random", "large common mean", "clusters"])
def test_distances_from_a_combination_need_no_coordinates(case: str) -> None:
    vectors = CASES[case](8, 2)
    weights = stream(6, "weights").dirichlet(np.ones(8))
    squared = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
    expected = distances(vectors, weights @ vectors)
    assert np.allclose(distances_from(squared, weights), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("iterations", 0, "iterations = 0 is out of bounds: needs iterations >= 1"),
        ("iterations", 2.0, "iterations = 2.0 is not a whole number"),
        ("iterations", True, "iterations = True is not a whole number"),
        ("smoothing", 0, "smoothing = 0 is out of bounds: needs 0 < smoothing <= 1"),
        ("smoothing", float("nan"), "smoothing = nan is out of bounds: needs 0 < smoothing <= 1"),
        ("smoothing", "1", "smoothing = '1' is not a number"),
    ],
)
def test_wrong_option_is_refused_with_the_bounds(option: str, value: object, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bind("geometric-median", n=7, f=2, **{option: value})
    assert caught.value.faults == (f"geometric-median: {fault}",)
