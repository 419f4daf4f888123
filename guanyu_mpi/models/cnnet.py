"""The CIFAR-10 network of the GuanYu and AggregaThor experiments: 1,756,426 parameters.

Shapes, padding and initialisers are those of AggregaThor's experiments/cnnet.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guanyu_mpi.models.architecture import Architecture, layer
from guanyu_mpi.models.parameters import TruncatedNormal

if TYPE_CHECKING:
    from torch import Tensor


def forward(params: Sequence[Tensor], images: Tensor) -> Tensor:
    """Logits (b, 10) of images (b, 3, 32, 32)."""
    from torch import channels_last  # noqa: PLC0415 - servers need CNNET without torch (D13)
    from torch.nn.functional import conv2d, linear  # noqa: PLC0415 - likewise

    conv1, bias1, conv2, bias2, fc1, bias3, fc2, bias4, fc3, bias5 = params
    # Measured: x0.78 of the time of the step; it is the input's layout that decides.
    x = images.contiguous(memory_format=channels_last)
    x = same_max_pool(conv2d(x, conv1, bias1, padding=2).relu())
    x = same_max_pool(conv2d(x, conv2, bias2, padding=2).relu())
    x = linear(x.flatten(1), fc1, bias3).relu()
    x = linear(x, fc2, bias4).relu()
    return linear(x, fc3, bias5)


def same_max_pool(x: Tensor) -> Tensor:
    """TensorFlow's SAME 3x3 max-pool of stride 2, for even heights and widths.

    On an even size SAME pads below and right only, which is what windows that may hang over
    those two edges do (ceil_mode); padding = 1 would pad above and left instead.
    """
    from torch.nn.functional import max_pool2d  # noqa: PLC0415 - as above

    return max_pool2d(x, kernel_size=3, stride=2, ceil_mode=True)


CNNET = Architecture(
    image_shape=(3, 32, 32),
    parameters=(
        *layer("conv1", (64, 3, 5, 5), TruncatedNormal(0.05)),
        *layer("conv2", (64, 64, 5, 5), TruncatedNormal(0.05), bias=0.1),
        *layer("fc1", (384, 4096), TruncatedNormal(0.04), bias=0.1),
        *layer("fc2", (192, 384), TruncatedNormal(0.04), bias=0.1),
        *layer("logits", (10, 192), TruncatedNormal(1 / 192)),
    ),
    forward=forward,
    places=(32 * 32, 16 * 16, 1, 1, 1),
)
