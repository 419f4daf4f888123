"""Laws of logistic regression on a sample that is drawn from the seed."""

import numpy as np
import pytest

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import objective
from guanyu_mpi.models.logistic import SLOPE_SQUARED_OVER_LOSS, Logistic, LogisticOptions


def logistic(seed: int = 1, **options: object) -> Logistic:
    made = objective("logistic", options, seed)
    assert isinstance(made, Logistic)
    return made


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weight_decay", [1e-6, 1e-2, 10.0])
def test_newton_finds_the_optimum_to_machine_precision(seed, weight_decay):
    # Separable, so that only the weight decay keeps the optimum from infinity.
    problem = logistic(seed, weight_decay=weight_decay, wrong_labels=0.0)
    slope = problem._slope(problem.optimum, problem._signed)
    assert np.linalg.norm(slope) < 1e-12


def test_a_batch_of_the_whole_sample_has_less_noise_than_one_example():
    params = np.zeros(20, np.float32)

    def variance(batch_size: int) -> float:
        problem = logistic(batch_size=batch_size)
        drawn = np.stack([problem.gradient(params, 0, step)[1] for step in range(500)])
        return float(drawn.var(axis=0).sum())

    # Draws with replacement: the variance of a mean.
    assert variance(1) == pytest.approx(200 * variance(200), rel=0.2)


def test_the_squared_slope_of_the_log_loss_is_that_small_a_part_of_it():
    losses = np.geomspace(1e-9, 1e3, 100_001)
    largest = ((1 - np.exp(-losses)) ** 2 / losses).max()
    assert 0.999 * SLOPE_SQUARED_OVER_LOSS < largest < SLOPE_SQUARED_OVER_LOSS


def test_the_optimum_is_right_about_as_often_as_labels_are():
    problem = logistic(examples=2000, wrong_labels=0.1)
    accuracy = problem.evaluate(problem.optimum.astype(np.float32)).accuracy
    assert accuracy == pytest.approx(0.9, abs=0.03)


def test_losses_far_away_do_not_overflow():
    problem, far = logistic(), np.full(20, 1e6, np.float32)
    assert np.isfinite(problem.evaluate(far).loss)
    assert np.isfinite(problem.gradient(far, 0, 0)[1]).all()


def test_defaults_are_the_documented_ones():
    assert LogisticOptions() == LogisticOptions(20, 200, 32, 0.01, 0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"examples": 0}, ["model.options.examples = 0", ">= 1"]),
        ({"batch_size": 1.5}, ["model.options.batch_size = 1.5", "whole number"]),
        ({"weight_decay": 0}, ["model.options.weight_decay = 0", "> 0"]),
        ({"wrong_labels": 1.5}, ["model.options.wrong_labels = 1.5", "from 0 to 1"]),
        ({"sigma": 1}, ["'sigma'", "known: batch_size, dimension, examples"]),
    ],
)
def test_wrong_options_are_refused_in_the_users_words(options, words):
    with pytest.raises(ConfigError) as caught:
        objective("logistic", options, 1)
    assert len(caught.value.faults) == 1
    for word in words:
        assert word in str(caught.value)
