"""Laws of the problem of which everything is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import objective
from guanyu_mpi.models.noisy import Noisy
from guanyu_mpi.models.quadratic import Quadratic, QuadraticOptions

SEEDS = st.integers(0, 2**32)


def point(seed: int, dimension: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)


def quadratic(seed: int = 1, **options: object) -> Noisy:
    made = objective("quadratic", options, seed)
    assert isinstance(made, Noisy)
    return made


def shape(**options: object) -> Quadratic:
    made = quadratic(**options).shape
    assert isinstance(made, Quadratic)
    return made


def test_defaults_are_the_documented_ones():
    assert (shape().dimension, shape().mu, shape().L) == (100, 0.1, 1.0)
    assert quadratic().variance == pytest.approx(100 * 0.1**2)


def test_eigenvalues_are_log_spaced_between_mu_and_l():
    eigenvalues = shape(dimension=4, mu=1e-3, L=1.0).eigenvalues
    assert eigenvalues == pytest.approx([1e-3, 1e-2, 1e-1, 1.0])


def test_one_dimension_has_one_eigenvalue():
    only = shape(dimension=1, mu=0.5, L=2.0)
    assert only.mu == only.L == 0.5


def test_the_optimum_has_loss_zero_and_any_other_point_more():
    problem = quadratic()
    assert problem.evaluate(problem.optimum).loss == 0
    assert problem.evaluate(point(3)).loss > 0
    assert problem.evaluate(point(3)).accuracy is None


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, at=SEEDS, step=st.integers(0, 10**6))
def test_gradient_is_the_slope_of_the_loss_it_is_returned_with(seed, at, step):
    problem = quadratic(seed)
    params, direction = point(at), point(at + 1)
    above, below = params + direction, params - direction
    # A central difference of a quadratic is exact but for rounding.
    slope = problem.gradient(above, 2, step)[0] - problem.gradient(below, 2, step)[0]
    width = (above.astype(np.float64) - below) @ problem.gradient(params, 2, step)[1]
    assert slope == pytest.approx(width, rel=1e-3, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(at=SEEDS, mu=st.floats(0.01, 1), ratio=st.floats(1, 100))
def test_curvature_lies_between_mu_and_l(at, mu, ratio):
    problem = quadratic(mu=mu, L=mu * ratio)
    x, y = point(at).astype(np.float64), point(at + 1).astype(np.float64)
    change = problem.gradient(x.astype(np.float32), 0, 0)[1].astype(np.float64)
    change -= problem.gradient(y.astype(np.float32), 0, 0)[1]
    curvature = change @ (x - y) / ((x - y) @ (x - y))
    assert mu * 0.999 - 1e-5 <= curvature <= problem.constants.L * 1.001 + 1e-5


def test_noise_is_unbiased_with_the_variance_that_is_told():
    problem = quadratic(sigma=0.5)
    noises = np.stack([problem.gradient(problem.optimum, 1, step)[1] for step in range(2000)])
    squares = (noises.astype(np.float64) ** 2).sum(axis=1)
    assert problem.variance == 25
    # Five standard errors: of 2000 chi-square sums, and of 100 means.
    assert squares.mean() == pytest.approx(25, abs=5 * 25 * np.sqrt(2 / 100 / 2000))
    assert np.abs(noises.mean(axis=0)).max() < 5 * 0.5 / np.sqrt(2000)


def test_without_noise_the_gradient_vanishes_at_the_optimum_only():
    problem = quadratic(sigma=0)
    assert not problem.gradient(problem.optimum, 0, 0)[1].any()
    assert problem.gradient(point(1), 0, 0)[1].all()


def test_noise_is_a_function_of_seed_worker_and_step():
    params = point(8)
    first = quadratic(1).gradient(params, 2, 3)[1]
    assert np.array_equal(first, quadratic(1).gradient(params, 2, 3)[1])
    problem = quadratic(1)
    for worker, step in [(2, 4), (3, 3), (3, 2)]:
        assert not np.any(first == problem.gradient(params, worker, step)[1])


def test_another_seed_is_another_optimum():
    assert not np.any(quadratic(1).optimum == quadratic(2).optimum)


def test_gradient_is_the_callers_and_params_are_left_alone():
    problem, params = quadratic(), point(4)
    before = params.copy()
    gradient = problem.gradient(params, 0, 0)[1]
    again = problem.gradient(params, 0, 0)[1]
    assert gradient.dtype == np.float32
    assert not np.shares_memory(gradient, again)
    assert np.array_equal(params, before)


def test_gradient_descent_contracts_at_the_known_rate():
    problem = quadratic(sigma=0)
    params = point(1)
    for step in range(200):
        params = (
            params - np.float32(1 / problem.constants.L) * problem.gradient(params, 0, step)[1]
        )
    # Strong convexity: f falls at least by (1 - mu / L)^2 per step of length 1 / L.
    assert (
        problem.evaluate(params).loss <= 1.01 * problem.evaluate(point(1)).loss * 0.81**200 + 1e-10
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dimension": 0}, ["model.options.dimension = 0", ">= 1"]),
        ({"dimension": 2.5}, ["2.5", "whole number"]),
        ({"dimension": True}, ["True", "whole number"]),
        ({"mu": 0}, ["0 < mu <= L"]),
        ({"mu": 2.0}, ["mu = 2.0", "L = 1.0"]),
        ({"sigma": -0.1}, ["sigma = -0.1", ">= 0"]),
        ({"sigma": "much"}, ["'much'", "finite number"]),
        ({"sigma": 10**400}, ["sigma = 1000", "finite number"]),
        ({"L": float("inf")}, ["inf", "finite number"]),
        ({"smoothness": 1}, ["'smoothness'", "known: L, dimension, mu, sigma"]),
    ],
)
def test_wrong_options_are_refused_in_the_users_words(options, words):
    with pytest.raises(ConfigError) as caught:
        objective("quadratic", options, 1)
    assert len(caught.value.faults) == 1
    for word in words:
        assert word in str(caught.value)


def test_all_wrong_options_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        objective("quadratic", {"dimension": 0, "sigma": -1, "mux": 1}, 1)
    assert len(caught.value.faults) == 3


def test_weight_decay_is_refused_where_the_optimum_is_known():
    with pytest.raises(ConfigError, match=r"train\.weight_decay = 0\.1"):
        objective("quadratic", {}, 1, weight_decay=0.1)


def test_options_record_and_dictionary_agree():
    assert QuadraticOptions() == QuadraticOptions(dimension=100, mu=0.1, L=1.0, sigma=0.1)
