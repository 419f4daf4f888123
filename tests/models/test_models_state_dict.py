"""A vector of parameters by the names that a module gives them."""

import numpy as np
import pytest
import torch

from guanyu_mpi.factories import import_factory
from guanyu_mpi.models import describe
from guanyu_mpi.models.state_dict import state_dict

NETS = """
def net():
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))

def half_frozen():
    made = net()
    made[0].weight.requires_grad_(False)
    return made

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(3, 3)
        self.decode = nn.Linear(3, 3)
        self.decode.weight = self.encode.weight
"""


@pytest.mark.parametrize(("factory", "size"), [("net", 17), ("half_frozen", 11), ("Tied", 15)])
def test_a_users_module_takes_its_parameters_back(user_module, factory: str, size: int) -> None:
    name = f"{user_module(NETS)}:{factory}"
    params = np.arange(size, dtype=np.float32)
    tensors = state_dict(name, {}, 1, params)
    module = import_factory("model", name)()
    module.load_state_dict(tensors)
    trained = [leaf.reshape(-1) for leaf in module.parameters() if leaf.requires_grad]
    assert torch.cat(trained).detach().numpy().tolist() == params.tolist()


def test_constants_of_a_module_are_those_of_the_run(user_module) -> None:
    name = f"{user_module(NETS)}:half_frozen"
    first, second = (state_dict(name, {}, 5, np.zeros(11, np.float32)) for _ in range(2))
    assert first["0.weight"].any()
    assert torch.equal(first["0.weight"], second["0.weight"])


@pytest.mark.parametrize("name", ["mlp", "cnnet"])
def test_a_built_in_network_has_named_layers(name: str) -> None:
    params = describe(name, {}, 1).initial_params()
    tensors = state_dict(name, {}, 1, params)
    assert list(tensors)[-2:] == ["logits.weight", "logits.bias"]
    assert tensors["logits.weight"].shape[0] == tensors["logits.bias"].shape[0] == 10
    assert torch.cat([part.reshape(-1) for part in tensors.values()]).numpy().tobytes() == (
        params.tobytes()
    )


def test_a_problem_without_a_network_is_its_vector() -> None:
    params = np.array([1.5, -2.0], np.float32)
    tensors = state_dict("quadratic", {"dimension": 2}, 1, params)
    assert {name: part.tolist() for name, part in tensors.items()} == {"params": [1.5, -2.0]}


def test_tensors_are_not_views_of_the_vector() -> None:
    params = np.zeros(79_510, np.float32)
    for tensor in state_dict("mlp", {}, 1, params).values():
        tensor.fill_(1)
    assert not params.any()
