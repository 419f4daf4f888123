"""Names and options: what is refused, and how it is said."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import MODELS, describe, objective
from guanyu_mpi.models.catalogue import ARCHITECTURES
from guanyu_mpi.models.state_dict import state_dict


@pytest.mark.parametrize("ask", [describe, objective])
def test_an_unknown_model_is_refused_with_the_near_miss(ask):
    with pytest.raises(ConfigError) as caught:
        ask("cnet", {}, 1)
    assert "unknown model 'cnet'; did you mean 'cnnet'?" in str(caught.value)
    for name in MODELS:
        assert name in str(caught.value)


@pytest.mark.parametrize("ask", [describe, objective])
@pytest.mark.parametrize("name", ["cnnet", "resnet18-gn"])
def test_options_that_a_network_does_not_have_are_refused(ask, name):
    with pytest.raises(ConfigError, match=rf"'hidden': 5.*model '{name}'.*takes none"):
        ask(name, {"hidden": 5}, 1)


@pytest.mark.parametrize("ask", [describe, objective])
@pytest.mark.parametrize("hidden", [0, -1, 2.5, True, "many"])
def test_a_layer_of_no_size_is_refused(ask, hidden):
    with pytest.raises(ConfigError, match=r"model\.options\.hidden = .*: must be a whole number"):
        ask("mlp", {"hidden": hidden}, 1)


def test_a_perceptron_has_as_many_hidden_units_as_it_is_told():
    spec = describe("mlp", {"hidden": 30}, 1)
    assert spec.dimension == spec.initial_params().size == 784 * 30 + 30 + 30 * 10 + 10
    shapes = {name: tuple(part.shape) for name, part in parts(spec.initial_params()).items()}
    assert shapes == {
        "hidden.weight": (30, 784),
        "hidden.bias": (30,),
        "logits.weight": (10, 30),
        "logits.bias": (10,),
    }
    assert np.array_equal(
        describe("mlp", {"hidden": 100}, 1).initial_params(),
        describe("mlp", {}, 1).initial_params(),
    )


def parts(params):
    return state_dict("mlp", {"hidden": 30}, 1, params)


def test_a_server_refuses_the_options_that_a_worker_refuses():
    with pytest.raises(ConfigError, match="'mux'"):
        describe("quadratic", {"mux": 1}, 1)


def test_every_listed_model_can_be_described():
    for name in MODELS:
        spec = describe(name, {}, 1)
        assert spec.initial_params().size == spec.dimension


@pytest.mark.parametrize("name", ["mlp", "cnnet", "resnet18-gn"])
def test_operations_of_a_gradient_are_those_that_torch_counts(name):
    images = 2
    spec, network = describe(name, {}, 1), ARCHITECTURES[name]
    params = [torch.zeros(each.shape, requires_grad=True) for each in network.parameters]
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(
            network.forward(params, torch.zeros(images, *network.image_shape)).sum()
        )
    assert counter.get_total_flops() == images * spec.gradient_operations


def test_operations_of_a_gradient_are_not_told_where_they_are_not_known():
    assert describe("quadratic", {}, 1).gradient_operations is None
