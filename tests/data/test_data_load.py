"""Loading and checking data files: what is taken, and what is refused by name."""

import fcntl
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.data import DATA_SETS, check, default_path, load
from guanyu_mpi.data.load import SHIPPED
from guanyu_mpi.data.mnist_small import MNIST_SMALL
from guanyu_mpi.data.prepare import prepare_recipe
from guanyu_mpi.data.recipe import Chunk
from guanyu_mpi.data.split import ImageSplit
from guanyu_mpi.data.writer import write_data
from guanyu_mpi.errors import ConfigError, DataError

READERS = pytest.mark.parametrize("read", [check, load])


@pytest.fixture
def cifar(tiny_cifar, tmp_path):
    path = tmp_path / "cifar10.h5"
    prepare_recipe(tiny_cifar.recipe, path, tiny_cifar.archive, None)
    return path


def refused(read, name, path, *words):
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(DataError) as caught:
        read(name, path)
    for word in (str(path), *words):
        assert word in str(caught.value)
    assert before is None or path.read_bytes() == before


def test_check_tells_what_is_in_the_file(cifar):
    info = check("cifar10", cifar)
    assert (info.name, info.num_train, info.num_test) == ("cifar10", 5500, 40)
    assert info.image_shape == load("cifar10", cifar)[0].image_shape == (3, 2, 2)


def test_images_of_a_large_file_are_mapped_not_read(cifar):
    train, _ = load("cifar10", cifar)
    assert isinstance(train._images.base, np.memmap)
    images, _ = train.take(np.arange(4))
    assert type(images) is np.ndarray
    assert images.flags.owndata


def test_compressed_images_are_read_into_memory():
    train, _ = load("mnist-small")
    assert not isinstance(train._images.base, np.memmap)


def test_what_is_taken_is_a_copy(cifar):
    for split in (load("cifar10", cifar)[0], load("mnist-small")[0]):
        images, labels = split.take(np.arange(3))
        first = images.copy(), labels.copy()
        images.fill(0)
        labels.fill(77)
        again = split.take(np.arange(3))
        assert np.array_equal(again[0], first[0])
        assert np.array_equal(again[1], first[1])


def test_normalisation_is_per_channel():
    images = np.array([0, 255], np.uint8).reshape(1, 2, 1, 1)
    taken, labels = ImageSplit(images, np.array([3], np.uint8), [0.5, 0.2], [0.5, 2.0]).take(
        np.array([0, 0])
    )
    assert taken.dtype == np.float32
    assert labels.dtype == np.int64
    assert taken[1].ravel() == pytest.approx([-1.0, 0.4])
    assert taken.shape == (2, 2, 1, 1)


@READERS
def test_a_lock_held_by_someone_else_does_not_matter(read, cifar):
    with cifar.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        read("cifar10", cifar)


@READERS
def test_a_missing_file_is_refused_with_the_command_that_makes_it(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        read("cifar10")
    assert "data/cifar10.h5 does not exist" in str(caught.value)
    assert "guanyu data prepare cifar10 --download (or --from PATH" in str(caught.value)


@READERS
def test_the_command_names_a_place_of_the_users_own(read, tmp_path):
    refused(read, "mnist", tmp_path / "a.h5", f"prepare mnist --download --to {tmp_path / 'a.h5'}")


def test_the_default_place_is_used(cifar, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    default_path("cifar10").parent.mkdir()
    shutil.copy(cifar, default_path("cifar10"))
    assert len(load("cifar10")[0]) == check("cifar10").num_train == 5500


@READERS
def test_a_file_of_another_data_set_is_refused(read, cifar):
    refused(read, "mnist", cifar, "holds 'cifar10', not 'mnist'")


@READERS
@pytest.mark.parametrize("content", [b"", b"not HDF5", b"\x80\x04\x95pickle"])
def test_files_that_are_not_hdf5_are_refused(read, content, tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    refused(read, "cifar10", path, "not an HDF5 file")


@READERS
def test_a_directory_is_refused(read, tmp_path):
    refused(read, "cifar10", tmp_path, "not a file")


@READERS
def test_hdf5_files_of_others_are_refused(read, tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["train/images"] = np.zeros(3)
    refused(read, "cifar10", path, "not a data file of this program")


@READERS
@pytest.mark.parametrize("share", [0.2, 0.7, 0.999])
def test_truncated_files_are_refused(read, share, cifar):
    data = cifar.read_bytes()
    cifar.write_bytes(data[: int(share * len(data))])
    refused(read, "cifar10", cifar, "damaged or truncated")


def alter(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def put(key, value):
    def change(file):
        del file[key]
        file[key] = value

    return change


@READERS
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda file: file.attrs.__setitem__("version", 2), "format version 2: version 1"),
        (lambda file: file.attrs.__delitem__("mean"), "mean"),
        (lambda file: file.attrs.__setitem__("std", [1.0]), "channels"),
        (lambda file: file.attrs.__setitem__("std", [1.0, 0.0, 1.0]), "channels"),
        (lambda file: file.attrs.__setitem__("std", [1.0, np.nan, 1.0]), "channels"),
        (lambda file: file.attrs.__setitem__("mean", [0.0, np.inf, 0.0]), "channels"),
        (lambda file: file.attrs.__setitem__("version", [1, 2]), "damaged or truncated"),
        (lambda file: file.attrs.__setitem__("mean", ["a", "b", "c"]), "could not convert"),
        (lambda file: file.attrs.__setitem__("sources", "["), "lacks a part"),
        (lambda file: file.__delitem__("test"), "test"),
        (put("train/labels", np.zeros(3, np.uint8)), "5500 images and labels of shape (3,)"),
        (put("train/images", np.zeros((5500, 3, 2, 2))), "float64"),
        (put("train/images", np.zeros((5500, 12), np.uint8)), "lacks a part"),
        (put("test/images", np.zeros((40, 3, 4, 4), np.uint8)), "(3, 4, 4)"),
        (put("train", np.zeros(3)), "lacks a part"),
    ],
)
def test_files_that_lack_a_part_of_the_format_are_refused(read, change, word, cifar):
    alter(cifar, change)
    refused(read, "cifar10", cifar, word)


def test_images_that_would_have_to_be_unpacked_are_not_read(cifar):
    """A small file can hold any size of them."""
    with h5py.File(cifar, "r+") as file:
        for part, shape in (("images", (10**12, 3, 2, 2)), ("labels", (10**12,))):
            del file[f"train/{part}"]
            file.create_dataset(f"train/{part}", shape, np.uint8, chunks=True)
    assert cifar.stat().st_size < 10**7
    refused(load, "cifar10", cifar, "is not laid out as `guanyu data prepare cifar10` does it")


def test_changed_images_of_the_small_set_are_noticed(tmp_path):
    path = tmp_path / "small.h5"
    shutil.copy(SHIPPED, path)
    alter(path, lambda file: file["test/images"].__setitem__((5, 0, 3, 3), 77))
    refused(load, "mnist-small", path, "do not have their digest")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A file of the same structure as the small set's, but tiny, so that flips hit everything."""
    recipe = replace(MNIST_SMALL, image_shape=(1, 4, 3), num_train=60, num_test=20)
    chunks = [
        Chunk(split, 0, np.arange(12 * count, dtype=np.uint8).reshape(count, 1, 4, 3), labels)
        for split, count in (("train", 60), ("test", 20))
        for labels in [np.arange(count, dtype=np.uint8) % 10]
    ]
    path = tmp_path_factory.mktemp("small") / "small.h5"
    write_data(path, recipe, chunks, {"source": "digest"})
    return path


@settings(max_examples=300, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_harmless(small, place, bit):
    data = bytearray(small.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path = small.with_name("flipped.h5")
    path.write_bytes(bytes(data))
    try:
        splits = load("mnist-small", path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        for split, original in zip(splits, load("mnist-small", small), strict=True):
            everything = np.arange(len(original))
            for found, expected in zip(
                split.take(everything), original.take(everything), strict=True
            ):
                assert np.array_equal(found, expected)


@pytest.mark.parametrize("read", [check, load])
def test_unknown_data_sets_are_refused_with_the_near_miss(read):
    with pytest.raises(
        ConfigError, match="unknown data set 'mnist-smal'; did you mean 'mnist-small'"
    ):
        read("mnist-smal")


@pytest.mark.parametrize("read", [check, load])
@pytest.mark.parametrize("name", DATA_SETS)
def test_options_without_effect_are_refused(read, name):
    with pytest.raises(ConfigError, match=r"data\.options = \{'flip': True\}.*takes none"):
        read(name, None, {"flip": True})
