"""ResNet-18 for 32x32 images with GroupNorm: 11,173,962 parameters and no other state.

He et al., CVPR 2016, with the first layer of their CIFAR-10 networks (3x3, no pooling), and
GroupNorm with 32 groups (Wu and He, ECCV 2018) where they have BatchNorm, whose running
statistics no theory covers. Layers have torchvision's names, which says "bn" of any norm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from guanyu_mpi.models.architecture import Architecture, layer
from guanyu_mpi.models.parameters import Constant, Normal, Parameter

if TYPE_CHECKING:
    from torch import Tensor

GROUPS = 32
# Inputs, outputs and stride of the blocks, two in each of four layers.
BLOCKS = {
    "layer1.0": (64, 64, 1),
    "layer1.1": (64, 64, 1),
    "layer2.0": (64, 128, 2),
    "layer2.1": (128, 128, 1),
    "layer3.0": (128, 256, 2),
    "layer3.1": (256, 256, 1),
    "layer4.0": (256, 512, 2),
    "layer4.1": (512, 512, 1),
}


def forward(params: Sequence[Tensor], images: Tensor) -> Tensor:
    """Logits (b, 10) of images (b, 3, 32, 32)."""
    from torch import channels_last  # noqa: PLC0415 - servers need RESNET18 without torch (D13)
    from torch.nn.functional import linear  # noqa: PLC0415 - likewise

    layers = iter(params)
    x = convolved(images.contiguous(memory_format=channels_last), layers).relu()
    for inputs, outputs, stride in BLOCKS.values():
        x = block(x, layers, stride, shortcut=inputs == outputs)
    return linear(x.mean((2, 3)), next(layers), next(layers))


def block(x: Tensor, layers: Iterator[Tensor], stride: int, *, shortcut: bool) -> Tensor:
    """Two convolutions, added to the input itself or, if the shapes differ, to a projection."""
    y = convolved(x, layers, stride).relu()
    y = convolved(y, layers)
    return (y + (x if shortcut else convolved(x, layers, stride))).relu()


def convolved(x: Tensor, layers: Iterator[Tensor], stride: int = 1) -> Tensor:
    """The next convolution, which keeps the size at stride 1, and its GroupNorm."""
    from torch.nn.functional import conv2d, group_norm  # noqa: PLC0415 - as above

    weight = next(layers)
    y = conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
    return group_norm(y, GROUPS, next(layers), next(layers))


def convolution(name: str, norm: str, shape: tuple[int, ...]) -> tuple[Parameter, ...]:
    """A convolution without bias, and the scale and shift of its norm."""
    outputs, _, height, width = shape
    # He et al., ICCV 2015, for ReLU, by outputs, as torchvision has it.
    start = Normal(math.sqrt(2 / (outputs * height * width)))
    return Parameter(f"{name}.weight", shape, start), *layer(norm, (outputs,), Constant(1))


def block_parameters(name: str, inputs: int, outputs: int) -> tuple[Parameter, ...]:
    """The parameters of a block, in the order in which it takes them."""
    first = convolution(f"{name}.conv1", f"{name}.bn1", (outputs, inputs, 3, 3))
    second = convolution(f"{name}.conv2", f"{name}.bn2", (outputs, outputs, 3, 3))
    if inputs == outputs:
        return first + second
    shape, (weight, norm) = (outputs, inputs, 1, 1), (f"{name}.downsample.{k}" for k in (0, 1))
    return first + second + convolution(weight, norm, shape)


def places() -> tuple[int, ...]:
    """Of each weight in turn, for how many places of an image's output it is used."""
    side = 32
    found = [side * side]
    for inputs, outputs, stride in BLOCKS.values():
        side //= stride
        found += [side * side] * (2 if inputs == outputs else 3)
    return (*found, 1)


RESNET18 = Architecture(
    image_shape=(3, 32, 32),
    parameters=(
        *convolution("conv1", "bn1", (64, 3, 3, 3)),
        *(
            parameter
            for name, (inputs, outputs, _) in BLOCKS.items()
            for parameter in block_parameters(name, inputs, outputs)
        ),
        # The deviation with which torch starts a linear layer.
        *layer("fc", (10, 512), Normal(math.sqrt(1 / (3 * 512)))),
    ),
    forward=forward,
    places=places(),
)
