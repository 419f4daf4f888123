"""Small official-looking files, and where the real ones are."""

import gzip
import hashlib
import io
import itertools
import struct
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from guanyu_mpi.data.cifar10 import CIFAR10
from guanyu_mpi.data.mnist import MNIST
from guanyu_mpi.data.recipe import OfficialFile, Recipe

REAL = Path(__file__).parents[2].parent / "shared" / "data"
_numbers = itertools.count()


@dataclass(frozen=True)
class Official:
    """A small data set: its recipe, the directory of its files, and what is in them."""

    recipe: Recipe
    directory: Path
    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]

    @property
    def archive(self) -> Path:
        return self.directory / self.recipe.files[0].name


def _contents(shape, num_train, num_test):
    generator = np.random.default_rng(11)
    sizes = {"train": num_train, "test": num_test}
    images = {
        split: generator.integers(0, 256, (size, *shape), np.uint8)
        for split, size in sizes.items()
    }
    labels = {split: generator.integers(0, 10, size, np.uint8) for split, size in sizes.items()}
    return images, labels


def _with_digests(recipe: Recipe, directory: Path) -> Recipe:
    files = tuple(
        OfficialFile(file.name, hashlib.md5((directory / file.name).read_bytes()).hexdigest())  # noqa: S324
        for file in recipe.files
    )
    return replace(recipe, files=files)


@pytest.fixture
def tiny_mnist(tmp_path: Path) -> Official:
    """Four idx files with 2,300 + 60 images of 4 x 3."""
    recipe = replace(MNIST, image_shape=(1, 4, 3), num_train=2300, num_test=60)
    images, labels = _contents((1, 4, 3), 2300, 60)
    directory = tmp_path / "official-mnist"
    directory.mkdir()
    arrays = [images["train"][:, 0], labels["train"], images["test"][:, 0], labels["test"]]
    for file, array in zip(recipe.files, arrays, strict=True):
        header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (directory / file.name).write_bytes(gzip.compress(header + array.tobytes()))
    return Official(_with_digests(recipe, directory), directory, images, labels)


def cifar_members(official_images, official_labels) -> dict[str, bytes]:
    """The files of the binary version, unsorted as in the official archive."""
    records = {
        split: np.concatenate(
            [official_labels[split][:, None], images.reshape(len(images), -1)], 1
        )
        for split, images in official_images.items()
    }
    batches = np.split(records["train"], 5)
    order = [1, 3, 4, 5, 2]
    members = {f"data_batch_{number}.bin": batches[number - 1].tobytes() for number in order}
    return {"readme.html": b"<html>", **members, "test_batch.bin": records["test"].tobytes()}


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members:
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.fixture
def tiny_cifar(tmp_path: Path) -> Official:
    """An archive with 5 x 1,100 + 40 images of 2 x 2 in colour."""
    recipe = replace(CIFAR10, image_shape=(3, 2, 2), num_train=5500, num_test=40)
    images, labels = _contents((3, 2, 2), 5500, 40)
    directory = tmp_path / "official-cifar"
    directory.mkdir()
    members = cifar_members(images, labels)
    write_tar(directory / recipe.files[0].name, list(members.items()))
    return Official(_with_digests(recipe, directory), directory, images, labels)


@pytest.fixture
def repack(tiny_cifar: Official) -> Callable[[Callable[[dict[str, bytes]], object]], Path]:
    """Write the small archive again after a change to its members; returns its path."""

    def write(change: Callable[[dict[str, bytes]], object]) -> Path:
        members = cifar_members(tiny_cifar.images, tiny_cifar.labels)
        changed = change(members)
        listed = changed if isinstance(changed, list) else list(members.items())
        write_tar(tiny_cifar.archive, listed)
        return tiny_cifar.archive

    return write


@pytest.fixture(scope="session")
def real_mnist() -> Path:
    if not (REAL / "mnist").is_dir():
        pytest.skip(f"the official MNIST files are not in {REAL / 'mnist'}")
    return REAL / "mnist"


@pytest.fixture(scope="session")
def real_cifar10() -> Path:
    archive = REAL / "cifar10" / "cifar-10-binary.tar.gz"
    if not archive.is_file():
        pytest.skip(f"{archive} is not there")
    return archive


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Make a module of a source text importable; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        name = f"user_data_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text("import numpy as np\nimport torch\n" + source)
        return name

    return write
