"""CIFAR-10: from the binary archive to a data file."""

import io
import tarfile

import numpy as np
import pytest

from guanyu_mpi.data import load, prepare
from guanyu_mpi.data.prepare import prepare_recipe
from guanyu_mpi.errors import DataError


def made(official, path, source=None):
    return prepare_recipe(official.recipe, path, source or official.archive, None)


def refused(official, path, words):
    with pytest.raises(DataError) as caught:
        made(official, path)
    for word in (str(official.archive), *words):
        assert word in str(caught.value)
    assert not path.parent.exists() or not list(path.parent.iterdir())


def test_every_image_and_label_arrives_in_its_place(tiny_cifar, tmp_path):
    prepared = made(tiny_cifar, tmp_path / "cifar10.h5")
    assert prepared.warnings == ()
    for split, name in zip(load("cifar10", prepared.path), ("train", "test"), strict=True):
        images, labels = split.take(np.arange(len(split)))
        mean, std = (np.array(v).reshape(3, 1, 1) for v in (prepared.info.mean, prepared.info.std))
        assert np.allclose((images * std + mean) * 255, tiny_cifar.images[name], atol=1e-3)
        assert np.array_equal(labels, tiny_cifar.labels[name])


def test_moments_are_those_of_each_channel(tiny_cifar, tmp_path):
    info = made(tiny_cifar, tmp_path / "cifar10.h5").info
    values = tiny_cifar.images["train"] / 255
    assert info.mean == pytest.approx(values.mean(axis=(0, 2, 3)))
    assert info.std == pytest.approx(values.std(axis=(0, 2, 3)))


def test_the_order_of_the_archive_does_not_matter(tiny_cifar, repack, tmp_path):
    first = made(tiny_cifar, tmp_path / "a.h5").info.content_sha256
    repack(lambda members: sorted(members.items()))
    assert made(tiny_cifar, tmp_path / "b.h5").info.content_sha256 == first


def test_the_directory_of_the_archive_will_do(tiny_cifar, tmp_path):
    assert made(tiny_cifar, tmp_path / "a.h5", tiny_cifar.directory).warnings == ()


def test_the_archive_may_have_another_name(tiny_cifar, tmp_path):
    renamed = tiny_cifar.archive.rename(tmp_path / "c10.tgz")
    assert made(tiny_cifar, tmp_path / "a.h5", renamed).warnings == ()


def test_unpacked_files_give_the_same_content_and_a_warning_each(tiny_cifar, tmp_path):
    with tarfile.open(tiny_cifar.archive) as archive:
        archive.extractall(tmp_path, filter="data")
    prepared = made(tiny_cifar, tmp_path / "a.h5", tmp_path / "cifar-10-batches-bin")
    assert prepared.info.content_sha256 == made(tiny_cifar, tmp_path / "b.h5").info.content_sha256
    assert len(prepared.warnings) == 6
    assert "no official digest" in prepared.warnings[0]


def test_another_digest_is_taken_with_a_warning(tiny_cifar, repack, tmp_path):
    repack(lambda members: members.update({"readme.html": b"changed"}))
    [warning] = made(tiny_cifar, tmp_path / "a.h5").warnings
    assert tiny_cifar.recipe.files[0].md5 in warning


def set_label(members):
    members["data_batch_2.bin"] = b"\x0b" + members["data_batch_2.bin"][1:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda members: members.pop("data_batch_3.bin") and None, ["no data_batch_3.bin"]),
        (lambda members: members.pop("test_batch.bin") and None, ["no test_batch.bin"]),
        (
            # The version for Python: the same names without .bin, pickled.
            lambda members: [(name.removesuffix(".bin"), data) for name, data in members.items()],
            ["data_batch_1.bin, data_batch_2.bin", "the binary version of CIFAR-10 is needed"],
        ),
        (
            lambda members: members.update({"data_batch_1.bin": b"\x01" * 100}),
            ["data_batch_1.bin has 100 bytes", "1100 records"],
        ),
        (
            lambda members: [*members.items(), ("test_batch.bin", members["test_batch.bin"])],
            ["test_batch.bin twice"],
        ),
        (set_label, ["label 11", "below 10"]),
    ],
)
def test_archives_of_another_structure_are_refused(change, words, tiny_cifar, repack, tmp_path):
    repack(change)
    refused(tiny_cifar, tmp_path / "out" / "a.h5", words)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_archives_cut_anywhere_are_refused(share, tiny_cifar, tmp_path):
    data = tiny_cifar.archive.read_bytes()
    tiny_cifar.archive.write_bytes(data[: int(share * len(data))])
    refused(tiny_cifar, tmp_path / "out" / "a.h5", [])


def test_a_flipped_bit_is_noticed_by_the_archives_own_sum(tiny_cifar, tmp_path):
    data = bytearray(tiny_cifar.archive.read_bytes())
    data[-20] ^= 1
    tiny_cifar.archive.write_bytes(bytes(data))
    refused(tiny_cifar, tmp_path / "out" / "a.h5", ["damaged"])


def test_members_that_lead_elsewhere_are_never_followed(tiny_cifar, tmp_path):
    with tarfile.open(tiny_cifar.archive, "w:gz") as archive:
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    refused(tiny_cifar, tmp_path / "out" / "a.h5", ["damaged or truncated"])


def test_a_header_that_is_no_header_is_refused(tiny_cifar, tmp_path):
    """As tarfile says it in Python 3.11: ValueError, of its own making."""
    with tarfile.open(tiny_cifar.archive, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        sparse = tarfile.TarInfo("sparse")
        sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        sparse.size = 512
        archive.addfile(sparse, io.BytesIO(b"nonsense\n".ljust(512)))
    refused(tiny_cifar, tmp_path / "out" / "a.h5", ["damaged or truncated"])


def test_of_an_archive_that_unpacks_without_end_only_so_much_is_read(
    tiny_cifar, tmp_path, monkeypatch
):
    monkeypatch.setattr("guanyu_mpi.data.cifar10.UNPACKED_MAX", 10**6)
    with tarfile.open(tiny_cifar.archive, "w:gz") as archive:
        other = tarfile.TarInfo("other")
        other.size = 10**7
        archive.addfile(other, io.BytesIO(bytes(10**7)))
    assert tiny_cifar.archive.stat().st_size < 10**5
    refused(tiny_cifar, tmp_path / "out" / "a.h5", ["unpacked it has more than 1000000 bytes"])


@pytest.mark.slow
def test_the_real_archive_streams_into_the_known_data_set(real_cifar10, tmp_path):
    prepared = prepare("cifar10", tmp_path / "cifar10.h5", real_cifar10)
    # The archive here was packed anew, so its md5 cannot be the official one (SOURCES.md).
    assert len(prepared.warnings) <= 1
    assert prepared.info.mean == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)
    assert prepared.info.std == pytest.approx([0.2470, 0.2435, 0.2616], abs=1e-4)
    train, test = load("cifar10", prepared.path)
    for split, per_class in ((train, 5000), (test, 1000)):
        labels = np.concatenate(
            [split.take(np.arange(a, a + 1000))[1] for a in range(0, len(split), 1000)]
        )
        assert np.bincount(labels).tolist() == [per_class] * 10
