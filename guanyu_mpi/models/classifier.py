"""A network that torch can differentiate: its trainable tensors and its forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from guanyu_mpi.models.architecture import Architecture

HOST = torch.device("cpu")


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Trainable tensors in flat order, and (images (b, C, H, W), training) -> logits (b, k).

    All of them are on one device. `draws`: training may draw random numbers, as dropout does.
    """

    name: str
    leaves: tuple[Tensor, ...]
    forward: Callable[[Tensor, bool], Tensor]
    draws: bool

    @property
    def place(self) -> torch.device:
        """The device."""
        return self.leaves[0].device


def from_architecture(
    name: str, architecture: Architecture, place: torch.device = HOST
) -> Classifier:
    """A built-in network; its parameters are zero until some are loaded."""
    leaves = tuple(
        torch.zeros(parameter.shape, device=place, requires_grad=True)
        for parameter in architecture.parameters
    )

    def forward(images: Tensor, training: bool) -> Tensor:
        del training  # nothing in a built-in network behaves otherwise in training
        return architecture.forward(leaves, images)

    return Classifier(name, leaves, forward, draws=False)


def from_module(name: str, module: nn.Module) -> Classifier:
    """A user's module; its frozen parameters are constants, not part of the flat vector."""

    def forward(images: Tensor, training: bool) -> Tensor:
        module.train(training)
        logits: Tensor = module(images)
        return logits

    return Classifier(name, trainable(module), forward, draws=True)


def trainable(module: nn.Module) -> tuple[Tensor, ...]:
    """The parameters that gradients are taken for, in the module's own order."""
    return tuple(leaf for leaf in module.parameters() if leaf.requires_grad)
