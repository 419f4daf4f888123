"""Making data files: from local copies of the official files, or by downloading them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from guanyu_mpi.data.cifar10 import CIFAR10
from guanyu_mpi.data.download import download
from guanyu_mpi.data.file import DataInfo
from guanyu_mpi.data.mnist import MNIST
from guanyu_mpi.data.mnist_small import MNIST_SMALL
from guanyu_mpi.data.recipe import Recipe, digests
from guanyu_mpi.data.writer import write_data
from guanyu_mpi.errors import ConfigError, DataError, unknown

RECIPES = {recipe.name: recipe for recipe in (MNIST_SMALL, MNIST, CIFAR10)}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data file that has been written, and what the user should know of its sources."""

    path: Path
    info: DataInfo
    warnings: tuple[str, ...]


def default_path(name: str) -> Path:
    """Where a data set is kept unless the user says otherwise."""
    return Path("data") / f"{name}.h5"


def prepare(
    name: str,
    to: Path | None = None,
    source: Path | None = None,
    mirrors: Sequence[str] | None = None,
) -> Prepared:
    """Make a data file from `source` (a directory or an archive); without one, by downloading.

    `mirrors` (base URLs) stand in for the official ones.
    """
    if name not in RECIPES:
        raise ConfigError(unknown("data set", name, RECIPES))
    return prepare_recipe(RECIPES[name], to or default_path(name), source, mirrors)


def prepare_recipe(
    recipe: Recipe, path: Path, source: Path | None, mirrors: Sequence[str] | None
) -> Prepared:
    """As `prepare`, for any recipe."""
    if path.exists():
        raise DataError(f"{path} exists: remove it first, or choose another file with --to")
    if source is not None:
        return _prepare_local(recipe, path, source)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".download-", dir=path.parent) as directory:
            download(recipe.files, Path(directory), recipe.mirrors if mirrors is None else mirrors)
            return _prepare_local(recipe, path, Path(directory))
    except OSError as error:
        raise DataError(f"{path.parent} cannot take a download: {error}") from error


def _prepare_local(recipe: Recipe, path: Path, source: Path) -> Prepared:
    paths = recipe.locate(source)
    official = {file.name: file.md5 for file in recipe.files}
    if len(paths) == len(official) == 1:
        # An archive keeps its meaning under another name.
        official = {paths[0].name: recipe.files[0].md5}
    sources, warnings = {}, []
    for file in paths:
        found = digests(file)
        sources[file.name] = found.sha256
        if file.name not in official:
            warnings.append(f"{file} has no official digest of its own; taken as it is")
        elif found.md5 != official[file.name]:
            warnings.append(
                f"{file} has md5 {found.md5}, not the official {official[file.name]}; "
                "taken as it is"
            )
    info = write_data(path, recipe, recipe.read(recipe, paths), sources)
    return Prepared(path, info, tuple(warnings))
