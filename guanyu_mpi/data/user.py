"""The user's own data: what a data factory returns, drawn from as a Split.

Nothing here imports torch: its tensors and data sets are taken for what they can do.
"""

from collections.abc import Mapping
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from guanyu_mpi.data.split import Images, Indices, Labels, Split
from guanyu_mpi.errors import ConfigError, DataError
from guanyu_mpi.factories import call_factory


class MapDataset(Protocol):
    """A map-style torch.utils.data.Dataset of (image, label)."""

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def __getitem__(self, index: int) -> tuple[object, object]:
        """One example; it must depend on the index only, or runs cannot be repeated."""
        ...


class ArraySplit:
    """Examples in two arrays: images (N, ...) as the user normalised them, labels (N,)."""

    def __init__(self, images: npt.NDArray[np.generic], labels: npt.NDArray[np.generic]) -> None:
        if labels.ndim != 1 or len(labels) != len(images):
            raise DataError(
                f"labels of shape {labels.shape} for images of shape {images.shape}: "
                "must be one label per image"
            )
        self._images = _checked_images(images)
        self._labels = _checked_labels(labels)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self._images.shape[1:]

    def __len__(self) -> int:
        return len(self._images)

    def take(self, indices: Indices) -> tuple[Images, Labels]:
        """Images (b, ...) and labels (b,)."""
        return self._images[indices], self._labels[indices]


class DatasetSplit:
    """Examples of a map-style data set, fetched one by one."""

    def __init__(self, dataset: MapDataset) -> None:
        self._dataset = dataset
        self.image_shape = self.take(np.zeros(1, np.int64))[0].shape[1:] if len(dataset) else ()

    def __len__(self) -> int:
        return len(self._dataset)

    def take(self, indices: Indices) -> tuple[Images, Labels]:
        """Images (b, ...) and labels (b,)."""
        examples = [_pair(self._dataset[int(index)]) for index in indices]
        try:
            images = np.stack([_array(image) for image, _ in examples])
        except ValueError as error:
            raise DataError(f"images of one batch differ in shape: {error}") from error
        labels = np.array([_array(label) for _, label in examples])
        if labels.ndim != 1:
            raise DataError(f"a label has shape {labels.shape[1:]}: must be one whole number")
        return _checked_images(images), _checked_labels(labels)


def load_user_data(name: str, options: Mapping[str, object]) -> tuple[Split, Split]:
    """Call a data factory; it returns (train, test), each a data set or a pair of tensors."""
    splits = call_factory("data", name, options)
    if not isinstance(splits, tuple | list) or len(splits) != 2:
        raise ConfigError(f"data {name!r} returns {_kind(splits)}: must return (train, test)")
    try:
        return _split(splits[0]), _split(splits[1])
    except DataError as error:
        raise ConfigError(f"data {name!r}: {error}") from error


def _split(value: object) -> Split:
    if isinstance(value, tuple | list) and len(value) == 2 and hasattr(value[0], "shape"):
        return ArraySplit(_array(value[0]), _array(value[1]))
    if hasattr(value, "__len__") and hasattr(value, "__getitem__"):
        return DatasetSplit(cast(MapDataset, value))
    raise DataError(
        f"a split is {_kind(value)}: must be a map-style Dataset (with __len__ and __getitem__) "
        "or a pair of tensors (images, labels)"
    )


def _pair(example: object) -> tuple[object, object]:
    if isinstance(example, tuple | list) and len(example) == 2:
        return example[0], example[1]
    raise DataError(f"an example is {_kind(example)}: must be a pair (image, label)")


def _array(value: object) -> npt.NDArray[np.generic]:
    try:
        return np.asarray(value)
    # Tensors refuse with errors of several kinds: on a GPU, or part of a graph.
    except Exception as error:
        raise DataError(f"{_kind(value)} is no array on the CPU: {error}") from error


def _checked_images(images: npt.NDArray[np.generic]) -> Images:
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(
            f"images are {images.dtype}: must be floating point, normalised (for bytes: x / 255)"
        )
    return images.astype(np.float32, copy=False)


def _checked_labels(labels: npt.NDArray[np.generic]) -> Labels:
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels are {labels.dtype}: must be whole numbers")
    if labels.size and int(labels.min()) < 0:
        raise DataError(f"labels go down to {labels.min()}: must be >= 0")
    return labels.astype(np.int64, copy=False)


def _kind(value: object) -> str:
    return type(value).__name__
