"""Laws of the gradient and the evaluation of a network."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from guanyu_mpi.errors import ConfigError, DataError, InvariantError
from guanyu_mpi.models import describe, objective
from guanyu_mpi.models.classifier import from_architecture
from guanyu_mpi.models.cnnet import same_max_pool
from guanyu_mpi.models.flat import FlatParameters
from guanyu_mpi.models.mlp import MLP

SHAPES = {"mlp": (1, 28, 28), "cnnet": (3, 32, 32)}


def plain(name: str) -> nn.Module:
    """The same network as anyone would write it, with padding by hand."""
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    pool = [nn.ConstantPad2d((0, 1, 0, 1), -torch.inf), nn.MaxPool2d(3, 2)]
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 5, padding=2), nn.ReLU(), *pool),
        *(nn.Conv2d(64, 64, 5, padding=2), nn.ReLU(), *pool),
        *(nn.Flatten(), nn.Linear(4096, 384), nn.ReLU()),
        *(nn.Linear(384, 192), nn.ReLU(), nn.Linear(192, 10)),
    )


def made(name, examples, size=12, **options):
    data = examples(SHAPES[name], 60)
    return objective(name, {}, 1, batches=data.batches(size), test=data, **options), data


def start(name, seed=3):
    return describe(name, {}, seed).initial_params()


@pytest.mark.parametrize("name", SHAPES)
def test_gradient_is_that_of_a_plainly_written_network(name, examples):
    problem, data = made(name, examples)
    params, model = start(name), plain(name)
    nn.utils.vector_to_parameters(torch.from_numpy(params), model.parameters())
    images, labels = data.batches(12)(1, 2)
    loss = cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(labels))
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, model.parameters())])
    ours, gradient = problem.gradient(params, 1, 2)
    error = np.linalg.norm(gradient - expected.numpy()) / np.linalg.norm(expected.numpy())
    assert ours == pytest.approx(loss.item(), rel=1e-5)
    assert error < 1e-5
    assert np.linalg.norm(gradient) > 0.1


def test_gradient_agrees_with_finite_differences(examples):
    problem, _ = made("mlp", examples)
    params = start("mlp")
    gradient = problem.gradient(params, 0, 0)[1]
    direction = gradient / np.linalg.norm(gradient)
    above, below = (problem.gradient(params + h * direction, 0, 0)[0] for h in (0.01, -0.01))
    assert (above - below) / 0.02 == pytest.approx(np.linalg.norm(gradient), rel=1e-2)


def test_same_pooling_pads_below_and_right_only():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    # Windows begin at 0 and 2; by hand. Padding by 1 on each side would give 5, 7, 13, 15.
    assert same_max_pool(image).flatten().tolist() == [10, 11, 14, 15]


def test_same_pooling_pads_with_less_than_any_value():
    assert same_max_pool(torch.full((1, 1, 4, 4), -5.0)).flatten().tolist() == [-5] * 4


@pytest.mark.parametrize("size", [32, 16])
def test_same_pooling_halves_the_sizes_of_cnnet(size):
    assert same_max_pool(torch.zeros(2, 3, size, size)).shape == (2, 3, size // 2, size // 2)


def test_parameters_and_gradients_are_views_of_one_buffer_each():
    leaves = from_architecture("mlp", MLP).leaves
    flat = FlatParameters(leaves)
    flat.values[:] = np.arange(79_510)
    assert leaves[0][0, :3].tolist() == [0, 1, 2]
    assert leaves[3].tolist() == list(range(79_500, 79_510))
    for _ in range(3):
        flat.zero_gradient()
        (leaves[3] * torch.arange(10.0)).sum().backward()
        assert flat.gradient[-10:].tolist() == list(range(10))
        assert not flat.gradient[:-10].any()


def test_laying_parameters_flat_keeps_their_values():
    model = plain("mlp")
    before = [leaf.detach().clone() for leaf in model.parameters()]
    flat = FlatParameters(list(model.parameters()))
    assert all(map(torch.equal, before, model.parameters()))
    assert flat.values.shape == flat.gradient.shape == (79_510,)


def test_gradient_is_a_fresh_vector_and_params_are_left_alone(examples):
    problem, _ = made("mlp", examples)
    params = start("mlp")
    before = params.copy()
    first = problem.gradient(params, 0, 0)[1]
    kept = first.copy()
    second = problem.gradient(params, 0, 1)[1]
    assert np.array_equal(first, kept)
    assert not np.shares_memory(first, second)
    assert np.array_equal(params, before)
    assert first.dtype == np.float32
    first.fill(0)
    assert np.array_equal(problem.gradient(params, 0, 1)[1], second)


def test_gradient_does_not_depend_on_what_was_computed_before(examples):
    problem, _ = made("mlp", examples)
    params = start("mlp")
    first = problem.gradient(params, 2, 3)
    problem.gradient(start("mlp", seed=9), 0, 0)
    problem.evaluate(start("mlp", seed=9))
    again = problem.gradient(params, 2, 3)
    assert first[0] == again[0]
    assert np.array_equal(first[1], again[1])


def test_workers_and_steps_have_their_own_batches(examples):
    problem, _ = made("mlp", examples)
    losses = {problem.gradient(start("mlp"), *which)[0] for which in [(0, 0), (0, 1), (1, 0)]}
    assert len(losses) == 3


def test_weight_decay_adds_its_share_of_the_parameters(examples):
    params = start("mlp")
    loss, gradient = made("mlp", examples)[0].gradient(params, 0, 0)
    decayed_loss, decayed = made("mlp", examples, weight_decay=0.5)[0].gradient(params, 0, 0)
    assert decayed_loss == loss
    assert np.allclose(decayed - gradient, 0.5 * params, atol=1e-6)
    assert np.abs(params).max() > 0.1


def test_evaluation_is_the_mean_over_the_whole_test_split(examples):
    # More than one chunk, and the last one partly filled.
    data = examples(SHAPES["mlp"], 600)
    problem = objective("mlp", {}, 1, batches=data.batches(2), test=data)
    params, model = start("mlp"), plain("mlp")
    nn.utils.vector_to_parameters(torch.from_numpy(params), model.parameters())
    with torch.no_grad():
        logits = model(torch.from_numpy(data.images))
    found = problem.evaluate(params)
    right = (logits.argmax(1).numpy() == data.labels).mean()
    assert found.loss == pytest.approx(cross_entropy(logits, torch.from_numpy(data.labels)).item())
    assert found.accuracy == pytest.approx(right)
    assert 0 < right < 1


def test_the_number_of_torch_threads_is_left_alone(examples):
    before = torch.get_num_threads()
    made("mlp", examples)[0].gradient(start("mlp"), 0, 0)
    assert torch.get_num_threads() == before


def test_torchs_global_random_state_is_left_alone(examples):
    before = torch.get_rng_state()
    made("mlp", examples)[0].gradient(start("mlp"), 0, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_images_of_another_shape_are_refused(examples):
    data = examples((3, 32, 32), 4)
    with pytest.raises(ConfigError, match=r"'mlp' cannot take images of shape \(3, 32, 32\)"):
        objective("mlp", {}, 1, batches=data.batches(2), test=data)


@pytest.mark.parametrize("label", [10, -1, -100])
def test_labels_outside_the_classes_are_refused(label, examples):
    problem, data = made("mlp", examples)
    data.labels[0] = label
    with pytest.raises(DataError, match="classes 0 to 9"):
        problem.gradient(start("mlp"), 0, 0)
    with pytest.raises(DataError, match="classes 0 to 9"):
        problem.evaluate(start("mlp"))


def test_an_empty_test_split_is_refused(examples):
    data = examples(SHAPES["mlp"], 0)
    with pytest.raises(DataError, match="test split is empty"):
        objective("mlp", {}, 1, batches=data.batches(2), test=data)


def test_parameters_of_another_size_are_our_own_fault(examples):
    with pytest.raises(InvariantError, match=r"\(1,\)"):
        made("mlp", examples)[0].gradient(np.zeros(1, np.float32), 0, 0)


def test_a_network_without_data_is_our_own_fault():
    with pytest.raises(InvariantError, match="'mlp' needs batches"):
        objective("mlp", {}, 1)
