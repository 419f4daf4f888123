"""The user's own module: built alike everywhere, or refused with the reason."""

import numpy as np
import pytest
import torch

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import describe, objective

NET = """
def net(width=4, classes=3):
    return nn.Sequential(nn.Flatten(), nn.Linear(12, width), nn.GroupNorm(2, width), nn.ReLU(),
                         nn.Linear(width, classes))
"""
SHAPE = (3, 2, 2)


def problem(reference, examples, options=None, seed=1, **more):
    data = examples(SHAPE, 20, classes=3)
    return objective(reference, options or {}, seed, batches=data.batches(5), test=data, **more)


def test_every_rank_builds_the_same_parameters(user_module):
    name = f"{user_module(NET)}:net"
    first = describe(name, {}, 1)
    torch.rand(3)
    assert np.array_equal(first.initial_params(), describe(name, {}, 1).initial_params())
    assert not np.array_equal(first.initial_params(), describe(name, {}, 2).initial_params())
    assert first.dimension == first.initial_params().size == 12 * 4 + 4 + 2 * 4 + 4 * 3 + 3
    assert first.needs_data


def test_initial_parameters_are_the_callers(user_module):
    spec = describe(f"{user_module(NET)}:net", {}, 1)
    spec.initial_params().fill(9)
    assert not np.any(spec.initial_params() == 9)


def test_building_leaves_torchs_random_state_alone(user_module):
    before = torch.get_rng_state()
    describe(f"{user_module(NET)}:net", {}, 1)
    assert torch.equal(before, torch.get_rng_state())


def test_options_are_the_factorys_keyword_arguments(user_module):
    spec = describe(f"{user_module(NET)}:net", {"width": 8}, 1)
    assert spec.dimension == 12 * 8 + 8 + 2 * 8 + 8 * 3 + 3


def test_servers_and_workers_agree_on_the_order_of_parameters(user_module, examples):
    name = f"{user_module(NET)}:net"
    params, made = describe(name, {}, 1).initial_params(), problem(name, examples)
    gradient = made.gradient(params, 0, 0)[1]
    for index in (0, 50, -1):
        nudge = np.zeros_like(params)
        nudge[index] = 0.01
        slope = made.gradient(params + nudge, 0, 0)[0] - made.gradient(params - nudge, 0, 0)[0]
        assert slope / 0.02 == pytest.approx(gradient[index], abs=2e-3)
    assert made.dimension == params.size


def test_dropout_is_a_function_of_worker_and_step(user_module, examples):
    source = (
        "def net():\n    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 3))"
    )
    name = f"{user_module(source)}:net"
    params, made = describe(name, {}, 1).initial_params(), problem(name, examples)
    data = examples(SHAPE, 20, classes=3)
    same_batch = objective(name, {}, 1, batches=lambda *_: data.take(np.arange(5)), test=data)
    first = same_batch.gradient(params, 0, 0)[1]
    torch.rand(7)
    assert np.array_equal(first, same_batch.gradient(params, 0, 0)[1])
    assert not np.array_equal(first, same_batch.gradient(params, 0, 1)[1])
    assert not np.array_equal(first, same_batch.gradient(params, 1, 0)[1])
    assert made.evaluate(params) == same_batch.evaluate(params)


def test_frozen_parameters_are_constants_outside_the_vector(user_module, examples):
    source = """
def net():
    first = nn.Linear(12, 4).requires_grad_(False)
    return nn.Sequential(nn.Flatten(), first, nn.Linear(4, 3))
"""
    name = f"{user_module(source)}:net"
    assert describe(name, {}, 1).dimension == 4 * 3 + 3
    params = describe(name, {}, 1).initial_params()
    assert problem(name, examples).gradient(params, 0, 0)[1].all()


REFUSED = {
    "batch norm": (
        "def net():\n    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))",
        ["buffer '1.running_mean'", "not covered by the theory", "GroupNorm"],
    ),
    "no parameters": ("def net():\n    return nn.ReLU()", ["no trainable parameters"]),
    "all frozen": (
        "def net():\n    return nn.Linear(2, 2).requires_grad_(False)",
        ["no trainable parameters"],
    ),
    "double precision": (
        "def net():\n    return nn.Linear(2, 2).double()",
        ["'weight' is torch.float64", "must be torch.float32"],
    ),
    "not on the cpu": (
        "def net():\n    return nn.Linear(2, 2, device='meta')",
        ["on meta", "on cpu"],
    ),
    "lazy": ("def net():\n    return nn.LazyLinear(3)", ["lazy"]),
    "not a module": ("def net():\n    return [1]", ["returns list", "torch.nn.Module"]),
    "fails": ("def net():\n    raise ValueError('no luck')", ["failed: ValueError: no luck"]),
    "not callable": ("net = 3", ["cannot call 'net'"]),
    "absent": ("", ["has no 'net'"]),
    "broken module": ("1 / 0", ["cannot be imported", "ZeroDivisionError"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_modules_that_cannot_be_trained_are_refused_with_the_reason(case, user_module):
    source, words = REFUSED[case]
    name = f"{user_module(source)}:net"
    with pytest.raises(ConfigError) as caught:
        describe(name, {}, 1)
    for word in (name, *words):
        assert word in str(caught.value)


def test_options_that_the_factory_rejects_are_named_with_what_it_takes(user_module):
    with pytest.raises(ConfigError) as caught:
        describe(f"{user_module(NET)}:net", {"depth": 3}, 1)
    for word in ("'depth'", "model.options", "(width=4, classes=3)"):
        assert word in str(caught.value)


def test_a_missing_package_is_named():
    with pytest.raises(ConfigError, match=r"no_such_package.*PYTHONPATH"):
        describe("no_such_package:net", {}, 1)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def net():\n    return nn.Linear(2, 3)", ["returns (1, 3, 2, 3)", "(images, classes)"]),
        ("def net():\n    return nn.Conv2d(1, 3, 1)", ["cannot take images", "RuntimeError"]),
        (
            "class Net(nn.Linear):\n    def forward(self, x):\n        return {'y': x}\n"
            "def net():\n    return Net(2, 3)",
            ["returns dict"],
        ),
    ],
)
def test_models_that_do_not_classify_the_images_are_refused(source, words, user_module, examples):
    with pytest.raises(ConfigError) as caught:
        problem(f"{user_module(source)}:net", examples)
    for word in words:
        assert word in str(caught.value)
