"""Parameter tensors as views of one flat buffer, and their gradients as views of another."""

from collections.abc import Sequence

import torch
from torch import Tensor

from guanyu_mpi.messages import Vector


class FlatParameters:
    """Leaf tensors laid over one buffer of values and one of gradients, each float32 (d,).

    `values` and `gradient` are numpy views of the two: writing into them is loading parameters,
    and backward() accumulates into the second in place.
    """

    def __init__(self, leaves: Sequence[Tensor]) -> None:
        values = torch.cat([leaf.detach().reshape(-1) for leaf in leaves])
        gradient = torch.zeros_like(values)
        sizes = [leaf.numel() for leaf in leaves]
        views = torch.split(values, sizes), torch.split(gradient, sizes)
        for leaf, value, slope in zip(leaves, *views, strict=True):
            leaf.data = value.view(leaf.shape)
            leaf.grad = slope.view(leaf.shape)
        self.values: Vector = values.numpy()
        self.gradient: Vector = gradient.numpy()

    def zero_gradient(self) -> None:
        """Start a new gradient; zero_grad() would drop the views instead."""
        self.gradient.fill(0)
