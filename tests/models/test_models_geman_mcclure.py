"""Laws of the nonconvex problem."""

import numpy as np
import pytest

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import objective
from guanyu_mpi.models.geman_mcclure import GemanMcClure, GemanMcClureOptions


def curvature(offset: float, smoothness: float = 2.0) -> float:
    shape = GemanMcClure(GemanMcClureOptions(dimension=1, L=smoothness))
    above, below = shape.slope(np.array([offset + 1e-5])), shape.slope(np.array([offset - 1e-5]))
    return float((above - below)[0] / 2e-5)


def test_curvature_is_l_at_the_minimum_and_negative_far_from_it():
    assert curvature(0.0) == pytest.approx(2.0)
    assert curvature(0.57) > 0 > curvature(0.58)


def test_curvature_is_nowhere_below_minus_a_quarter_of_l():
    assert curvature(1.0) == pytest.approx(-0.5)
    assert min(curvature(offset) for offset in np.linspace(-5, 5, 101)) >= -0.5 - 1e-6


def test_a_coordinate_loses_half_of_l_at_most():
    shape = GemanMcClure(GemanMcClureOptions(dimension=3, L=2.0))
    assert shape.value(np.full(3, 1e6)) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"L": 0}, ["model.options.L = 0", "> 0"]),
        ({"sigma": -1}, ["model.options.sigma = -1", ">= 0"]),
        ({"mu": 1}, ["'mu'", "known: L, dimension, sigma"]),
    ],
)
def test_wrong_options_are_refused_in_the_users_words(options, words):
    with pytest.raises(ConfigError) as caught:
        objective("geman-mcclure", options, 1)
    assert len(caught.value.faults) == 1
    for word in words:
        assert word in str(caught.value)
