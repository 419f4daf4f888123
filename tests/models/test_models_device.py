"""Which device a rank computes on, and what it computes there; without one, what is said."""

import functools

import numpy as np
import pytest
import torch

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import describe, objective
from guanyu_mpi.models.device import Device

needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine"
)
SHAPES = {"mlp": (1, 28, 28), "cnnet": (3, 32, 32), "resnet18-gn": (3, 32, 32)}

DROPOUT = """
def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 10), nn.Dropout(0.5))

class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(12, 10)
        self.shift = nn.Parameter(torch.ones(12), requires_grad=False)

    def forward(self, x):
        return self.linear(x.flatten(1) + self.shift)
"""


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


@pytest.fixture
def none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


def made(name, examples, device, size=8):
    data = examples(SHAPES[name], 40)
    problem = objective(name, {}, 1, batches=data.batches(size), test=data, device=device)
    return problem, describe(name, {}, 3).initial_params()


def difference(first, second):
    return np.linalg.norm(first - second) / np.linalg.norm(second)


@pytest.mark.parametrize("name", ["cuda", "auto"])
def test_the_ranks_of_a_node_take_its_devices_in_turn(four, name):
    places = [str(Device(name, local_rank).place()) for local_rank in range(6)]
    assert places == ["cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:0", "cuda:1"]


def test_a_device_that_is_named_is_taken_by_all_ranks(four):
    assert {str(Device("cuda:3", local_rank).place()) for local_rank in range(6)} == {"cuda:3"}


def test_the_cpu_is_taken_where_it_is_asked_for_or_there_is_nothing_else(four, monkeypatch):
    assert Device("cpu", 2).place() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert Device("auto", 2).place() == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_device_that_is_missing_is_told_with_what_to_do(none, name):
    told = rf"device.name = '{name}': torch .* finds no CUDA device on .*device.name=cpu"
    with pytest.raises(ConfigError, match=told):
        Device(name).place()
    with pytest.raises(ConfigError, match=told):
        Device(name).described()


def test_an_index_beyond_those_there_are_is_told_with_them(four):
    with pytest.raises(ConfigError, match=r"'cuda:4': torch .* finds cuda:0 to cuda:3 on"):
        Device("cuda:4").place()


def test_the_cpu_is_described_without_asking_for_others():
    assert Device().described() == "device: cpu"
    options = Device("cpu", autocast=True, compile=True).described()
    assert options == "device: cpu, bfloat16 autocast, torch.compile"


def test_auto_says_that_there_is_no_other(none):
    assert "device: cpu: torch " in Device("auto").described()


@pytest.mark.parametrize("name", ["mlp", "cnnet"])
def test_autocast_rounds_the_gradient_and_nothing_else(examples, name):
    whole, params = made(name, examples, Device())
    rounded, _ = made(name, examples, Device(autocast=True))
    gradient = rounded.gradient(params, 0, 0)[1]
    expected = whole.gradient(params, 0, 0)[1]
    assert gradient.dtype == np.float32
    assert 1e-4 < difference(gradient, expected) < 0.1
    assert np.array_equal(rounded.gradient(params, 0, 0)[1], gradient)
    assert rounded.evaluate(params) == whole.evaluate(params)


def test_a_compiled_model_has_the_same_gradient(examples, monkeypatch):
    """Traced and differentiated by torch.compile; compiling C++ as well would take a minute, and
    so would tracing resnet18-gn."""
    traced = []

    def backend(graph, inputs):
        traced.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    compiled, params = made("cnnet", examples, Device(compile=True), size=2)
    plain, _ = made("cnnet", examples, Device(), size=2)
    assert difference(compiled.gradient(params, 0, 0)[1], plain.gradient(params, 0, 0)[1]) < 1e-6
    assert len(traced) == 1
    compiled.gradient(params, 0, 1)
    compiled.evaluate(params)
    assert len(traced) == 1


@needs_cuda
@pytest.mark.parametrize("name", SHAPES)
def test_a_gpu_has_the_gradient_and_the_loss_of_the_cpu(examples, name):
    there, params = made(name, examples, Device("cuda:0"))
    here, _ = made(name, examples, Device())
    before = params.copy()
    loss, gradient = there.gradient(params, 0, 0)
    assert loss == pytest.approx(here.gradient(params, 0, 0)[0], rel=1e-2)
    # Convolutions may be computed in TF32, whose 10 bits of significand are 2^-11 in each product.
    assert difference(gradient, here.gradient(params, 0, 0)[1]) < 2e-2
    assert there.evaluate(params).loss == pytest.approx(here.evaluate(params).loss, rel=1e-2)
    assert np.array_equal(params, before)


@needs_cuda
def test_the_gradient_of_a_gpu_is_a_vector_of_the_host_and_the_callers(examples):
    there, params = made("mlp", examples, Device("cuda:0"))
    first = there.gradient(params, 0, 0)[1]
    kept = first.copy()
    second = there.gradient(params, 0, 1)[1]
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)
    assert not np.shares_memory(first, second)


@needs_cuda
@pytest.mark.parametrize("autocast", [False, True])
def test_a_gpu_autocasts_and_repeats_itself(examples, autocast):
    there, params = made("mlp", examples, Device("cuda:0", autocast=autocast))
    first = there.gradient(params, 2, 3)
    there.gradient(params, 0, 0)
    second = there.gradient(params, 2, 3)
    assert first[0] == second[0]
    assert np.array_equal(first[1], second[1])


@needs_cuda
def test_dropout_on_a_gpu_follows_from_worker_and_step_and_leaves_torchs_state_alone(
    examples, user_module
):
    data = examples((3, 2, 2), 40)
    name = f"{user_module(DROPOUT)}:net"
    device = Device("cuda:0")
    problem = objective(name, {}, 1, batches=data.batches(8), test=data, device=device)
    params = describe(name, {}, 1).initial_params()
    before = torch.cuda.get_rng_state(0)
    first = problem.gradient(params, 0, 0)[1]
    problem.gradient(params, 1, 1)
    assert np.array_equal(problem.gradient(params, 0, 0)[1], first)
    assert torch.equal(torch.cuda.get_rng_state(0), before)


@needs_cuda
def test_constants_of_a_users_module_are_on_the_gpu_too(examples, user_module):
    data = examples((3, 2, 2), 40)
    name = f"{user_module(DROPOUT)}:Shifted"
    params = describe(name, {}, 1).initial_params()
    there, here = (
        objective(name, {}, 1, batches=data.batches(8), test=data, device=Device(place))
        for place in ("cuda:0", "cpu")
    )
    assert difference(there.gradient(params, 0, 0)[1], here.gradient(params, 0, 0)[1]) < 1e-2


@needs_cuda
def test_a_gpu_is_described_by_its_name_and_memory():
    described = Device("cuda:0").described()
    assert described.startswith(f"device: cuda:0, {torch.cuda.get_device_name(0)}, ")
    assert described.endswith(" GiB")
