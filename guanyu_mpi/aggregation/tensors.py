"""Torch tensors in, torch tensors out: numpy's views on the CPU, kernels of their own on a GPU."""

from typing import TYPE_CHECKING

import torch

from guanyu_mpi.aggregation.kernels.device import TorchKernels

if TYPE_CHECKING:
    from guanyu_mpi.aggregation.binding import Aggregator

TYPES = (torch.float32, torch.float64, torch.bfloat16)


def combine_tensor(rule: "Aggregator", vectors: torch.Tensor) -> torch.Tensor:
    """The rule on a tensor (n, d); the result (d,) has its type and its device.

    bfloat16 is computed in float32 on the CPU, and rounded once. Raises ValueError for other types
    and shapes.
    """
    if vectors.dtype not in TYPES:
        raise ValueError(
            f"{rule.name} combines tensors of float32, float64 or bfloat16: got {vectors.dtype}"
        )
    rule.check_shape(vectors.shape)
    vectors = vectors.detach()
    if vectors.device.type != "cpu":
        return rule.combined(list(vectors.contiguous().unbind(0)), TorchKernels())
    wide = vectors.float() if vectors.dtype is torch.bfloat16 else vectors
    rows = list(wide.contiguous().numpy())
    return torch.from_numpy(rule.combined(rows, rule.kernels)).to(vectors.dtype)
