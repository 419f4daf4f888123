"""The one HDF5 format of every data set: what is in it, and whether a file is one.

train/images (N, C, H, W) uint8   train/labels (N,) uint8   test/images, test/labels likewise
attributes: format, version, name, sources (JSON: file -> sha256), content_sha256,
mean and std (C,) of the training images' bytes / 255
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from guanyu_mpi.errors import DataError

FORMAT = "guanyu-data"
VERSION = 1
SPLITS = ("train", "test")
BLOCK = 1000


@dataclass(frozen=True, slots=True)
class DataInfo:
    """What a data file says of itself."""

    name: str
    image_shape: tuple[int, int, int]
    num_train: int
    num_test: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    content_sha256: str
    # (file, sha256) of what it was made from.
    sources: tuple[tuple[str, str], ...]


@contextmanager
def open_data(path: Path) -> Iterator[h5py.File]:
    """Open a data file for reading; whatever is wrong with it is a DataError that names it."""
    if not path.is_file():
        raise DataError(f"{path} is not a file")
    if not h5py.is_hdf5(path):
        raise DataError(f"{path} is not an HDF5 file; it is left as it is")
    try:
        # No lock: the file is complete once it has its name, and some file systems have none.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except DataError:
        raise
    # libhdf5's faults arrive as OSError, KeyError, RuntimeError, TypeError, ...: by no fixed list.
    except Exception as error:
        raise DataError(f"{path} is damaged or truncated: {error}") from error


def read_info(file: h5py.File, path: Path, name: str) -> DataInfo:
    """Check that an open file holds the data set `name` in this format; reads no images."""
    attributes = file.attrs
    if _text(attributes, "format") != FORMAT:
        raise DataError(f"{path} is an HDF5 file, but not a data file of this program")
    if attributes.get("version") != VERSION:
        raise DataError(
            f"{path} has format version {attributes.get('version')}: version {VERSION} is needed; "
            f"make it anew with guanyu data prepare {name}"
        )
    if _text(attributes, "name") != name:
        raise DataError(f"{path} holds {_text(attributes, 'name')!r}, not {name!r}")
    try:
        return _info(file, name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} lacks a part of the format: {error}") from error


def _text(attributes: h5py.AttributeManager, key: str) -> str:
    """A text attribute, "" where there is none."""
    value = attributes.get(key, b"")
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _info(file: h5py.File, name: str) -> DataInfo:
    (num_train, shape), (num_test, test_shape) = (_sizes(file[split]) for split in SPLITS)
    attributes = file.attrs
    info = DataInfo(
        name=name,
        image_shape=shape,
        num_train=num_train,
        num_test=num_test,
        mean=tuple(float(value) for value in attributes["mean"]),
        std=tuple(float(value) for value in attributes["std"]),
        content_sha256=_text(attributes, "content_sha256"),
        sources=tuple(json.loads(_text(attributes, "sources")).items()),
    )
    if test_shape != shape:
        raise ValueError(f"test images of shape {test_shape}, training images of {shape}")
    usable = np.isfinite([*info.mean, *info.std]).all() and min(info.std, default=0) > 0
    if len(info.mean) != shape[0] or len(info.std) != shape[0] or not usable:
        raise ValueError(f"mean {info.mean} and std {info.std} of {shape[0]} channels")
    return info


def _sizes(group: h5py.Group) -> tuple[int, tuple[int, int, int]]:
    """Number of examples of a split, and the shape of its images."""
    images, labels = group["images"], group["labels"]
    if images.dtype != np.uint8 or labels.dtype != np.uint8:
        raise ValueError(f"{group.name} has {images.dtype} and {labels.dtype}, not uint8")
    count, channels, height, width = images.shape
    if labels.shape != (count,):
        raise ValueError(f"{group.name} has {count} images and labels of shape {labels.shape}")
    return count, (channels, height, width)


def content_sha256(file: h5py.File) -> str:
    """Digest of moments, shapes, images and labels; compression does not change it."""
    digest = hashlib.sha256()
    for key in ("mean", "std"):
        digest.update(np.asarray(file.attrs[key], "<f8").tobytes())
    for key in (f"{split}/{part}" for split in SPLITS for part in ("images", "labels")):
        dataset = file[key]
        digest.update(f"{key} {dataset.shape}\n".encode())
        for start in range(0, len(dataset), BLOCK):
            digest.update(dataset[start : start + BLOCK].tobytes())
    return digest.hexdigest()
