"""MNIST: from official files to a data file."""

import gzip
import shutil
import struct

import h5py
import numpy as np
import pytest

from guanyu_mpi.data import load, prepare
from guanyu_mpi.data.prepare import prepare_recipe
from guanyu_mpi.data.writer import write_data
from guanyu_mpi.errors import ConfigError, DataError, InvariantError

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def made(official, path):
    return prepare_recipe(official.recipe, path, official.directory, None)


def refused(official, path, words):
    with pytest.raises(DataError) as caught:
        made(official, path)
    for word in words:
        assert word in str(caught.value)
    assert not path.parent.exists() or not list(path.parent.iterdir())


def test_every_image_and_label_arrives_in_its_place(tiny_mnist, tmp_path):
    path = tmp_path / "new" / "mnist.h5"
    prepared = made(tiny_mnist, path)
    assert prepared.warnings == ()
    assert prepared.path == path
    train, test = load("mnist", path)
    for split, name in ((train, "train"), (test, "test")):
        images, labels = split.take(np.arange(len(split)))
        mean, std = prepared.info.mean[0], prepared.info.std[0]
        bytes_again = (images * std + mean) * 255
        assert np.allclose(bytes_again, tiny_mnist.images[name], atol=1e-3)
        assert np.array_equal(labels, tiny_mnist.labels[name])


def test_the_file_tells_mean_and_deviation_of_the_training_images(tiny_mnist, tmp_path):
    info = made(tiny_mnist, tmp_path / "a.h5").info
    values = tiny_mnist.images["train"] / 255
    assert info.mean == pytest.approx([values.mean()])
    assert info.std == pytest.approx([values.std()])


def test_the_file_tells_its_sources(tiny_mnist, tmp_path):
    info = made(tiny_mnist, tmp_path / "a.h5").info
    assert [name for name, _ in info.sources] == [file.name for file in tiny_mnist.recipe.files]
    assert all(len(digest) == 64 for _, digest in info.sources)


def test_a_channel_that_never_varies_is_only_centred(tiny_mnist, tmp_path):
    path = tiny_mnist.directory / IMAGES
    header = gzip.decompress(path.read_bytes())[:16]
    path.write_bytes(gzip.compress(header + bytes([51]) * 2300 * 12))
    info = made(tiny_mnist, tmp_path / "a.h5").info
    assert (info.mean, info.std) == ((pytest.approx(0.2),), (1.0,))
    assert load("mnist", tmp_path / "a.h5")[0].take(np.arange(3))[0] == pytest.approx(0, abs=1e-6)


def test_another_digest_is_taken_with_a_warning(tiny_mnist, tmp_path):
    path = tiny_mnist.directory / LABELS
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=1))
    [warning] = made(tiny_mnist, tmp_path / "a.h5").warnings
    assert str(path) in warning
    assert tiny_mnist.recipe.files[1].md5 in warning


def test_the_content_digest_is_that_of_the_content(tiny_mnist, tmp_path):
    first = made(tiny_mnist, tmp_path / "a.h5").info.content_sha256
    assert first == made(tiny_mnist, tmp_path / "b.h5").info.content_sha256
    path = tiny_mnist.directory / IMAGES
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(raw)))
    assert first != made(tiny_mnist, tmp_path / "c.h5").info.content_sha256


def truncate(path):
    path.write_bytes(path.read_bytes()[:-9])


def shorten_content(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def lengthen_content(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"x"))


def replace_by_text(path):
    path.write_bytes(b"404 not found")


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def other_header(path):
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(struct.pack(">I", 0x0D03) + raw[4:]))


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("file", [IMAGES, LABELS])
@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (truncate, "damaged or truncated"),
        (shorten_content, "truncated"),
        (lengthen_content, "goes on"),
        (replace_by_text, "damaged or truncated"),
        (damage, "damaged or truncated"),
        (other_header, "not an idx file"),
        (empty, "truncated"),
    ],
)
def test_spoiled_files_are_refused_by_name_and_leave_nothing(
    spoil, word, file, tiny_mnist, tmp_path
):
    spoil(tiny_mnist.directory / file)
    refused(tiny_mnist, tmp_path / "out" / "mnist.h5", [file, word])


def test_labels_beyond_nine_are_refused(tiny_mnist, tmp_path):
    path = tiny_mnist.directory / LABELS
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[20] = 10
    path.write_bytes(gzip.compress(bytes(raw)))
    refused(tiny_mnist, tmp_path / "out" / "mnist.h5", [LABELS, "label 10", "below 10"])


def test_missing_files_are_named(tiny_mnist, tmp_path):
    (tiny_mnist.directory / LABELS).unlink()
    refused(tiny_mnist, tmp_path / "out" / "a.h5", [LABELS, str(tiny_mnist.directory)])


def test_a_source_that_does_not_exist_is_named(tiny_mnist, tmp_path):
    shutil.rmtree(tiny_mnist.directory)
    refused(tiny_mnist, tmp_path / "out" / "a.h5", ["no existing directory"])


def test_an_existing_file_is_never_overwritten(tiny_mnist, tmp_path):
    path = tmp_path / "mine.h5"
    path.write_text("mine")
    with pytest.raises(DataError, match=r"mine\.h5 exists"):
        made(tiny_mnist, path)
    assert path.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named(tiny_mnist, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/a\.h5 cannot be written"):
        made(tiny_mnist, tmp_path / "file" / "a.h5")


def test_an_interrupted_writer_leaves_nothing(tiny_mnist, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("guanyu_mpi.data.writer._publish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        made(tiny_mnist, tmp_path / "out" / "a.h5")
    assert not list((tmp_path / "out").iterdir())


def test_a_reader_that_gives_too_little_is_our_own_fault(tiny_mnist, tmp_path):
    chunks = list(
        tiny_mnist.recipe.read(tiny_mnist.recipe, tiny_mnist.recipe.locate(tiny_mnist.directory))
    )
    with pytest.raises(InvariantError, match="'train': 2300, 'test': 0"):
        write_data(tmp_path / "out" / "a.h5", tiny_mnist.recipe, chunks[:-1], {})
    assert not list((tmp_path / "out").iterdir())


def test_unknown_data_sets_are_refused_with_the_near_miss(tmp_path):
    with pytest.raises(ConfigError, match="unknown data set 'cifar'; did you mean 'cifar10'"):
        prepare("cifar", tmp_path / "a.h5", tmp_path)


def test_the_real_mnist_has_its_known_shape_and_moments(real_mnist, tmp_path):
    prepared = prepare("mnist", tmp_path / "mnist.h5", real_mnist)
    assert prepared.warnings == ()
    assert (prepared.info.num_train, prepared.info.num_test) == (60_000, 10_000)
    # The constants that everyone normalises MNIST with.
    assert prepared.info.mean == pytest.approx([0.1307], abs=1e-4)
    assert prepared.info.std == pytest.approx([0.3081], abs=1e-4)
    with h5py.File(prepared.path) as file:
        assert file["train/labels"][:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
        assert file["test/labels"][:4].tolist() == [7, 2, 1, 0]
