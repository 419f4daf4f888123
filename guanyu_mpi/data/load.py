"""Data sets by name: checking that one is there, and loading it."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from guanyu_mpi.data.file import SPLITS, DataInfo, content_sha256, open_data, read_info
from guanyu_mpi.data.prepare import RECIPES, default_path
from guanyu_mpi.data.split import Bytes, ImageSplit, Split
from guanyu_mpi.data.user import load_user_data
from guanyu_mpi.errors import ConfigError, DataError, unknown
from guanyu_mpi.factories import check_options, import_factory, is_factory

DATA_SETS = tuple(RECIPES)
SHIPPED = Path(__file__).with_name("mnist-small.h5")


def check(
    name: str, path: Path | None = None, options: Mapping[str, object] | None = None
) -> DataInfo | None:
    """Cheap check that `load` will find the data; what is known of it, None for a factory's."""
    options = options or {}
    _check_arguments(name, path, options)
    if is_factory(name):
        check_options("data", name, import_factory("data", name), options)
        return None
    file_path = _find(name, path)
    with open_data(file_path) as file:
        return read_info(file, file_path, name)


def load(
    name: str, path: Path | None = None, options: Mapping[str, object] | None = None
) -> tuple[Split, Split]:
    """The training and test splits of a data set; large files are mapped, not read."""
    options = options or {}
    _check_arguments(name, path, options)
    if is_factory(name):
        return load_user_data(name, options)
    file_path = _find(name, path)
    with open_data(file_path) as file:
        info = read_info(file, file_path, name)
        compressed = RECIPES[name].compressed
        if not compressed and any(file[f"{split}/images"].chunks for split in SPLITS):
            # Unpacked, it could be of any size.
            raise DataError(f"{file_path} is not laid out as `guanyu data prepare {name}` does it")
        train, test = (_split(file[split], file_path, info) for split in SPLITS)
        # Digesting a mapped file would read all of it on every rank.
        if compressed and content_sha256(file) != info.content_sha256:
            raise DataError(f"{file_path} is damaged: its images do not have their digest")
    return train, test


def _check_arguments(name: str, path: Path | None, options: Mapping[str, object]) -> None:
    if is_factory(name):
        if path is not None:
            raise ConfigError(
                f"data.path = {path} has no effect on data factory {name!r}: give it what it "
                "needs in data.options"
            )
    elif name not in RECIPES:
        raise ConfigError(unknown("data set", name, RECIPES))
    elif options:
        raise ConfigError(f"data.options = {dict(options)}: data set {name!r} takes none")


def _find(name: str, path: Path | None) -> Path:
    if path is None:
        path = SHIPPED if name == "mnist-small" else default_path(name)
    if not path.exists():
        to = "" if path == default_path(name) else f" --to {path}"
        raise DataError(
            f"{path} does not exist; make it with: guanyu data prepare {name} --download{to} "
            f"(or --from PATH in place of --download, if the official files are on this machine)"
        )
    return path


def _split(group: h5py.Group, path: Path, info: DataInfo) -> ImageSplit:
    return ImageSplit(_images(group["images"], path), group["labels"][:], info.mean, info.std)


def _images(dataset: h5py.Dataset, path: Path) -> Bytes:
    """Images in memory, or mapped if they lie in one piece in the file."""
    offset = dataset.id.get_offset()
    if dataset.chunks is not None or offset is None:
        images: Bytes = dataset[:]
        return images
    # A plain array on top of the map: what is taken from it is in memory.
    return np.asarray(np.memmap(path, np.uint8, mode="r", offset=offset, shape=dataset.shape))
