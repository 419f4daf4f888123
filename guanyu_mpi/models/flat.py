"""Parameter tensors as views of one flat buffer, and their gradients as views of another."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from guanyu_mpi.messages import Vector


class FlatParameters:
    """Leaf tensors laid over one buffer of values and one of gradients, each float32 (d,).

    backward() accumulates into the second in place. `values` and `gradient` are numpy views of the
    two, or on a GPU of pinned memory, from which and to which they are copied.
    """

    def __init__(self, leaves: Sequence[Tensor]) -> None:
        self._values = torch.cat([leaf.detach().reshape(-1) for leaf in leaves])
        self._slopes = torch.zeros_like(self._values)
        sizes = [leaf.numel() for leaf in leaves]
        views = torch.split(self._values, sizes), torch.split(self._slopes, sizes)
        for leaf, value, slope in zip(leaves, *views, strict=True):
            leaf.data = value.view(leaf.shape)
            leaf.grad = slope.view(leaf.shape)
        self._staged_values, self._staged_slopes = map(_staged, (self._values, self._slopes))
        self.values: Vector = self._staged_values.numpy()
        self.gradient: Vector = self._staged_slopes.numpy()

    def load(self, params: Vector) -> None:
        """Have the leaves hold these parameters (d,)."""
        np.copyto(self.values, params)
        # Of a tensor into itself it copies nothing.
        self._values.copy_(self._staged_values)

    def zero_gradient(self) -> None:
        """Start a new gradient; zero_grad() would drop the views instead."""
        self._slopes.zero_()

    def take_gradient(self) -> Vector:
        """The gradient (d,) that backward() has left, a new vector."""
        self._staged_slopes.copy_(self._slopes)
        return self.gradient.copy()


def _staged(tensor: Tensor) -> Tensor:
    """Memory of the host for what is in a tensor: itself, or pinned, so that a GPU can copy it."""
    if tensor.device.type == "cpu":
        return tensor
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
