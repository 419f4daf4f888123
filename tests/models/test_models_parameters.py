"""Laws of the parameters that are drawn without torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.models import MODELS, describe
from guanyu_mpi.models.cnnet import CNNET
from guanyu_mpi.models.mlp import MLP
from guanyu_mpi.models.parameters import (
    Constant,
    Normal,
    Parameter,
    TruncatedNormal,
    initial_vector,
)


def part_of(vector, parameters, name):
    """The slice of a flat vector that belongs to a parameter."""
    offset = 0
    for parameter in parameters:
        if parameter.name == name:
            return vector[offset : offset + parameter.size]
        offset += parameter.size
    raise KeyError(name)


@pytest.mark.parametrize(
    ("name", "dimension"),
    # papers.md, sections 1.5 and 1.6: the sizes that the authors' code reports.
    [("cnnet", 1_756_426), ("mlp", 79_510), ("quadratic", 100)],
)
def test_models_have_the_published_number_of_parameters(name, dimension):
    spec = describe(name, {}, seed=1)
    assert spec.dimension == dimension
    assert spec.initial_params().shape == (dimension,)
    assert spec.initial_params().dtype == np.float32


def test_cnnet_layers_have_the_published_sizes():
    sizes = [parameter.size for parameter in CNNET.parameters]
    layers = [weight + bias for weight, bias in zip(sizes[::2], sizes[1::2], strict=True)]
    assert layers == [4_864, 102_464, 1_573_248, 73_920, 1_930]


@pytest.mark.parametrize(
    ("layer", "std", "bias"),
    [
        ("conv1", 0.05, 0.0),
        ("conv2", 0.05, 0.1),
        ("fc1", 0.04, 0.1),
        ("fc2", 0.04, 0.1),
        ("logits", 1 / 192, 0.0),
    ],
)
def test_cnnet_starts_as_its_authors_start_it(layer, std, bias):
    vector = describe("cnnet", {}, seed=5).initial_params()
    weight = part_of(vector, CNNET.parameters, f"{layer}.weight")
    assert np.all(part_of(vector, CNNET.parameters, f"{layer}.bias") == np.float32(bias))
    assert np.abs(weight).max() <= 2 * std * (1 + 1e-6)
    # A normal that is redrawn beyond 2 std keeps 0.8796 of its standard deviation; the sampling
    # error of the standard deviation is below std / sqrt(2 n).
    assert weight.std() == pytest.approx(0.8796 * std, abs=5 * std / np.sqrt(2 * weight.size))


def test_truncation_redraws_instead_of_clipping():
    vector = initial_vector([Parameter("w", (200_000,), TruncatedNormal(1.0))], 3, "m")
    assert np.abs(vector).max() < 2
    # Clipping would put 4.6 % of the mass at the bounds; a normal has 0.5 % between 1.98 and 2.
    assert np.mean(np.abs(vector) > 1.98) < 0.006
    assert np.mean(np.abs(vector) > 1.98) > 0.0005


def test_normal_is_not_truncated():
    vector = initial_vector([Parameter("w", (200_000,), Normal(0.5))], 3, "m")
    assert np.abs(vector).max() > 1.5
    assert vector.std() == pytest.approx(0.5, rel=0.01)


def test_constant_is_the_constant():
    vector = initial_vector([Parameter("b", (3,), Constant(0.1))], 3, "m")
    assert vector.tolist() == [np.float32(0.1)] * 3


@settings(deadline=None)
@given(seed=st.integers(0, 2**64), other=st.integers(0, 2**64))
def test_initial_parameters_depend_on_the_seed_and_nothing_else(seed, other):
    first = describe("mlp", {}, seed).initial_params()
    assert np.array_equal(first, describe("mlp", {}, seed).initial_params())
    assert (seed == other) == np.array_equal(first, describe("mlp", {}, other).initial_params())


def test_parameters_of_equal_shape_start_differently():
    same = (50,)
    vector = initial_vector(
        [Parameter("a", same, Normal(1)), Parameter("b", same, Normal(1))], 1, "m"
    )
    assert not np.any(vector[:50] == vector[50:])


@pytest.mark.parametrize("name", MODELS)
def test_initial_parameters_are_the_callers(name):
    spec = describe(name, {}, seed=2)
    spec.initial_params().fill(9)
    assert not np.any(spec.initial_params() == 9)


def test_specs_tell_what_a_model_needs():
    assert describe("mlp", {}, 1).image_shape == MLP.image_shape == (1, 28, 28)
    assert describe("cnnet", {}, 1).image_shape == (3, 32, 32)
    assert describe("cnnet", {}, 1).needs_data
    assert not describe("quadratic", {}, 1).needs_data
