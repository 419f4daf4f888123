"""A perceptron for MNIST with one hidden layer: 784-100-10 with ReLU, 79,510 parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from guanyu_mpi.models.architecture import Architecture, layer
from guanyu_mpi.models.options import Options
from guanyu_mpi.models.parameters import Normal

if TYPE_CHECKING:
    from torch import Tensor


def forward(params: Sequence[Tensor], images: Tensor) -> Tensor:
    """Logits (b, 10) of images (b, 1, 28, 28)."""
    weight1, bias1, weight2, bias2 = params
    hidden = (images.flatten(1) @ weight1.T + bias1).relu()
    return hidden @ weight2.T + bias2


def mlp(values: Mapping[str, object]) -> Architecture:
    """The network with as many hidden units as the user's options say; raises ConfigError."""
    options = Options("mlp", values, ["hidden"])
    hidden = options.whole("hidden", 100)
    options.check()
    # He et al., 2015: variance 2 / inputs before a ReLU; 1 / inputs before the logits.
    return Architecture(
        image_shape=(1, 28, 28),
        parameters=(
            *layer("hidden", (hidden, 784), Normal(math.sqrt(2 / 784))),
            *layer("logits", (10, hidden), Normal(math.sqrt(1 / hidden))),
        ),
        forward=forward,
        places=(1, 1),
    )


MLP = mlp({})
