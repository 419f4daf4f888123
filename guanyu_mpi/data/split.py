"""Part of a data set: examples by index, images normalised."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Images: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]
Indices: TypeAlias = npt.NDArray[np.int64]


class Split(Protocol):
    """Examples that can be drawn from by index."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, as a rule (C, H, W)."""
        ...

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def take(self, indices: Indices) -> tuple[Images, Labels]:
        """Images (b, C, H, W) and labels (b,) of the examples with these indices (b,), copies."""
        ...


class ImageSplit:
    """Images (N, C, H, W) kept as bytes, in memory or mapped, and normalised when taken."""

    def __init__(
        self, images: Bytes, labels: Bytes, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        self._images = images
        self._labels = labels.astype(np.int64)
        # (bytes / 255 - mean) / std, per channel, as one product and one sum.
        self._scale = _per_channel([1 / (255 * deviation) for deviation in std])
        self._shift = _per_channel([-a / b for a, b in zip(mean, std, strict=True)])

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape (C, H, W) of one image."""
        return self._images.shape[1:]

    def __len__(self) -> int:
        return len(self._images)

    def take(self, indices: Indices) -> tuple[Images, Labels]:
        """Normalised images (b, C, H, W) and labels (b,)."""
        images = self._images[indices].astype(np.float32)
        images *= self._scale
        images += self._shift
        return images, self._labels[indices]


def _per_channel(values: Sequence[float]) -> Images:
    return np.array(values, np.float32).reshape(-1, 1, 1)
