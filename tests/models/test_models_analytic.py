"""Laws of every problem of which theory knows everything."""

import numpy as np
import pytest

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import describe, objective
from guanyu_mpi.models.analytic import Analytic
from guanyu_mpi.models.catalogue import ANALYTIC

EVERY = pytest.mark.parametrize("name", ANALYTIC)
SCALES = (0.1, 1.0, 3.0)


def problem_of(name: str, seed: int = 1, **options: object) -> Analytic:
    return ANALYTIC[name](options).problem(seed)


def points(name: str) -> list[np.ndarray]:
    """Near zero, where runs start, and far away."""
    size, rng = problem_of(name).dimension, np.random.default_rng(5)
    return [(scale * rng.standard_normal(size)).astype(np.float32) for scale in SCALES]


@EVERY
def test_full_gradient_is_the_slope_of_the_exact_loss(name):
    problem = problem_of(name)
    for params in points(name):
        direction = np.random.default_rng(6).standard_normal(params.size)
        direction /= np.linalg.norm(direction)
        above = (params + 1e-2 * direction).astype(np.float32)
        below = (params - 1e-2 * direction).astype(np.float32)
        rise = problem.evaluate(above).loss - problem.evaluate(below).loss
        move = above.astype(np.float64) - below
        assert rise == pytest.approx(problem.full_gradient(params) @ move, rel=1e-3, abs=1e-6)


@EVERY
def test_gradients_are_unbiased_and_no_larger_than_the_constants_say(name):
    problem, constants = problem_of(name), problem_of(name).constants
    for params in points(name):
        drawn = np.stack([problem.gradient(params, 1, step)[1] for step in range(2000)])
        exact = problem.full_gradient(params)
        error = np.linalg.norm(drawn.mean(axis=0) - exact)
        # Of a mean of 2000 with this total variance; five standard errors.
        assert error < 5 * np.sqrt(drawn.var(axis=0).sum() / 2000)
        gap = problem.evaluate(params).loss - constants.low
        allowed = constants.A * gap + constants.B * (exact @ exact) + constants.C
        measured = (drawn.astype(np.float64) ** 2).sum(axis=1)
        assert measured.mean() < allowed + 5 * measured.std() / np.sqrt(2000)


@EVERY
def test_gradients_change_no_faster_than_the_smoothness_says(name):
    problem, rng = problem_of(name), np.random.default_rng(7)
    for params in points(name):
        for width in (1e-3, 1.0):
            other = params + (width * rng.standard_normal(params.size)).astype(np.float32)
            change = problem.full_gradient(other) - problem.full_gradient(params)
            moved = np.linalg.norm(other.astype(np.float64) - params)
            assert np.linalg.norm(change) <= problem.constants.L * moved * (1 + 1e-9)


@EVERY
def test_no_point_is_below_the_lowest_value_and_the_optimum_is_there(name):
    problem = problem_of(name)
    low = problem.constants.low
    assert all(problem.evaluate(params).loss > low for params in points(name))
    # The optimum is known to float64, and parameters are float32.
    optimum = problem.optimum.astype(np.float32)
    assert problem.evaluate(optimum).loss == pytest.approx(low, abs=1e-12)


@EVERY
def test_a_gradient_is_a_function_of_seed_worker_and_step(name):
    params = points(name)[1]
    first = problem_of(name).gradient(params, 2, 3)[1]
    assert np.array_equal(first, problem_of(name).gradient(params, 2, 3)[1])
    for seed, worker, step in [(1, 2, 4), (1, 3, 3), (2, 2, 3)]:
        assert not np.array_equal(first, problem_of(name, seed).gradient(params, worker, step)[1])


@EVERY
def test_a_gradient_is_the_callers_and_params_are_left_alone(name):
    problem, params = problem_of(name), points(name)[0]
    before = params.copy()
    gradient = problem.gradient(params, 0, 0)[1]
    assert gradient.dtype == np.float32
    assert not np.shares_memory(gradient, problem.gradient(params, 0, 0)[1])
    assert np.array_equal(params, before)


@EVERY
def test_description_and_problem_agree_on_the_dimension(name):
    spec = describe(name, {"dimension": 7}, 1)
    assert not spec.needs_data
    assert spec.initial_params().shape == (7,) == (problem_of(name, dimension=7).dimension,)


@EVERY
def test_weight_decay_is_refused_where_the_optimum_is_known(name):
    with pytest.raises(ConfigError, match=rf"weight_decay = 0\.1 .* model '{name}'"):
        objective(name, {}, 1, weight_decay=0.1)
