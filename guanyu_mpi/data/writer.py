"""Writing a data file: beside its place, chunk by chunk, complete or not at all.

The HDF5 library crashes on some damaged metadata; it checks sums in the structures of version
1.10, and in all of them only where strings have a fixed length.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from guanyu_mpi.data.file import FORMAT, SPLITS, VERSION, DataInfo, content_sha256, read_info
from guanyu_mpi.data.recipe import Chunk, Recipe
from guanyu_mpi.errors import DataError, InvariantError


def write_data(
    path: Path, recipe: Recipe, chunks: Iterable[Chunk], sources: Mapping[str, str]
) -> DataInfo:
    """Write the chunks, each in its place, as the data set of a recipe; nothing is overwritten."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with h5py.File(partial, "w", libver=("v110", "v110")) as file:
                _write(file, recipe, chunks, sources)
                info = read_info(file, partial, recipe.name)
            _publish(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}") from error
    return info


def _write(
    file: h5py.File, recipe: Recipe, chunks: Iterable[Chunk], sources: Mapping[str, str]
) -> None:
    counts = {"train": recipe.num_train, "test": recipe.num_test}
    for split in SPLITS:
        _create(file, f"{split}/images", (counts[split], *recipe.image_shape), recipe.compressed)
        _create(file, f"{split}/labels", (counts[split],), recipe.compressed)
    mean, std = _fill(file, recipe, chunks, counts)
    file.attrs.update({"version": VERSION, "mean": mean, "std": std})
    texts = {"format": FORMAT, "name": recipe.name, "sources": json.dumps(dict(sources))}
    for key, text in {**texts, "content_sha256": content_sha256(file)}.items():
        file.attrs[key] = np.bytes_(text)


def _fill(
    file: h5py.File, recipe: Recipe, chunks: Iterable[Chunk], counts: Mapping[str, int]
) -> tuple[list[float], list[float]]:
    """Write the chunks, in whatever order they come; mean and std of the training images."""
    written = dict.fromkeys(counts, 0)
    histogram = np.zeros((recipe.image_shape[0], 256), np.int64)
    for chunk in chunks:
        stop = chunk.start + len(chunk.labels)
        file[f"{chunk.split}/images"][chunk.start : stop] = chunk.images
        file[f"{chunk.split}/labels"][chunk.start : stop] = chunk.labels
        written[chunk.split] += len(chunk.labels)
        if chunk.split == "train":
            histogram += _histogram(chunk.images)
    if written != counts:
        raise InvariantError(f"the reader of {recipe.name!r} gave {written}, not {counts}")
    moments = [_moments(channel.tolist()) for channel in histogram]
    return [mean for mean, _ in moments], [std for _, std in moments]


def _create(file: h5py.File, key: str, shape: tuple[int, ...], compressed: bool) -> None:
    if compressed:
        chunks = (min(500, shape[0]), *shape[1:])
        file.create_dataset(
            key, shape, np.uint8, chunks=chunks, compression="gzip", compression_opts=9
        )
    else:
        file.create_dataset(key, shape, np.uint8)


def _histogram(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """How often each byte occurs in each channel (C, 256): exact, whatever the order."""
    return np.stack(
        [
            np.bincount(images[:, channel].ravel(), minlength=256)
            for channel in range(images.shape[1])
        ]
    )


def _moments(histogram: list[int]) -> tuple[float, float]:
    """Mean and standard deviation of bytes / 255; 1 for a channel that never varies.

    Sums of whole numbers: the result is the same to the last bit on every machine.
    """
    count = sum(histogram)
    first = sum(byte * times for byte, times in enumerate(histogram))
    second = sum(byte * byte * times for byte, times in enumerate(histogram))
    spread = count * second - first * first
    std = math.sqrt(spread / (count * 255) ** 2) if spread else 1.0
    return first / (count * 255), std


def _publish(partial: Path, path: Path) -> None:
    """Give a finished file its name; after a power cut it is there whole, or not there."""
    _fsync(partial)
    partial.replace(path)
    _fsync(path.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
