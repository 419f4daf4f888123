"""ResNet-18 with GroupNorm, held against the same network as anyone would write it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from guanyu_mpi.models import describe, objective
from guanyu_mpi.models.state_dict import state_dict

NAME = "resnet18-gn"


class Block(nn.Module):
    """torchvision's BasicBlock, with GroupNorm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.GroupNorm(32, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.GroupNorm(32, outputs)
        self.downsample = nn.Sequential()
        if stride != 1:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.GroupNorm(32, outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.downsample(x)).relu()


class Plain(nn.Module):
    """torchvision's ResNet of such blocks, with the first layer for small images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.GroupNorm(32, 64)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
        self.fc = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


@pytest.fixture(scope="module")
def start() -> np.ndarray:
    return describe(NAME, {}, 3).initial_params()


def test_it_has_as_many_parameters_as_resnet18_for_cifar10(start):
    assert describe(NAME, {}, 3).dimension == 11_173_962
    assert start.shape == (11_173_962,)
    assert sum(leaf.numel() for leaf in Plain().parameters()) == 11_173_962


def test_gradient_is_that_of_a_plainly_written_network_with_the_same_names(start, examples):
    data = examples((3, 32, 32), 20)
    problem = objective(NAME, {}, 3, batches=data.batches(2), test=data)
    model = Plain()
    model.load_state_dict(state_dict(NAME, {}, 3, start))
    images, labels = data.batches(2)(1, 2)
    loss = cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(labels))
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, model.parameters())])
    ours, gradient = problem.gradient(start, 1, 2)
    error = np.linalg.norm(gradient - expected.numpy()) / np.linalg.norm(expected.numpy())
    assert ours == pytest.approx(loss.item(), rel=1e-5)
    assert error < 1e-4
    assert np.linalg.norm(gradient) > 0.1
    again, same = problem.gradient(start, 1, 2)
    assert again == ours
    assert np.array_equal(same, gradient)


def test_convolutions_start_as_torchvision_starts_them_and_norms_change_nothing(start):
    for name, part in state_dict(NAME, {}, 3, start).items():
        if part.dim() == 4:
            plain = torch.empty_like(part)
            nn.init.kaiming_normal_(plain, mode="fan_out", nonlinearity="relu")
            assert part.std().item() == pytest.approx(plain.std().item(), rel=0.1), name
            assert abs(part.mean().item()) < 5 * part.std().item() / part.numel() ** 0.5, name
        elif name != "fc.weight":
            assert torch.all(part == (1.0 if name.endswith("weight") else 0.0)), name


def test_the_last_layer_starts_with_the_deviation_that_torch_gives_it(start):
    weight = state_dict(NAME, {}, 3, start)["fc.weight"]
    assert weight.std().item() == pytest.approx(nn.Linear(512, 10).weight.std().item(), rel=0.1)


def test_initial_parameters_depend_on_the_seed_and_nothing_else(start):
    assert np.array_equal(describe(NAME, {}, 3).initial_params(), start)
    other = describe(NAME, {}, 4).initial_params()
    assert np.mean(other == start) < 0.01
