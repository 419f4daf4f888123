"""What a built-in network is: its parameters and image shape, known without torch, and a forward.

Layers are written once as data; the forward pass of a network takes its parameters in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guanyu_mpi.models.parameters import Constant, Init, Parameter

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network whose parameters can be drawn without torch."""

    image_shape: tuple[int, int, int]
    parameters: tuple[Parameter, ...]
    # (parameters, images (b, C, H, W)) -> logits (b, classes); the only part that needs torch.
    forward: Callable[[Sequence[Tensor], Tensor], Tensor]
    # Of each weight in turn, for how many places of an image's output it is used; empty: not told.
    places: tuple[int, ...] = ()

    @property
    def gradient_operations(self) -> int | None:
        """Operations of one image's gradient in convolutions and products of matrices.

        Forward, and backward to the weights and to the inputs, but for the image's own gradient.
        """
        if not self.places:
            return None
        weights = [parameter for parameter in self.parameters if len(parameter.shape) > 1]
        each = [2 * w.size * places for w, places in zip(weights, self.places, strict=True)]
        return 3 * sum(each) - each[0]


def layer(
    name: str, weight_shape: tuple[int, ...], weight: Init, bias: float = 0.0
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a linear or convolution layer, in torch's order (outputs first)."""
    return (
        Parameter(f"{name}.weight", weight_shape, weight),
        Parameter(f"{name}.bias", weight_shape[:1], Constant(bias)),
    )
