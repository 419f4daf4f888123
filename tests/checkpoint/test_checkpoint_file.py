"""One checkpoint file: what is written is read, and nothing else is believed."""

import os
import sys
import tracemalloc
from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from checkpoint_runs import CLUSTER, DIMENSION, IDENTITY, damage, flip_bit, params_of, store_of
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.checkpoint import (
    Checkpoint,
    FileError,
    ForeignError,
    Header,
    Notes,
    Writers,
    path_of,
    read,
)
from guanyu_mpi.checkpoint.hdf5 import write_file
from guanyu_mpi.errors import CheckpointError


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = store_of(tmp_path_factory.mktemp("sound"), 3).write(400, params_of(3, 400))
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, sound: bytes) -> Path:
    place = path_of(tmp_path, 3, 400)
    place.parent.mkdir()
    place.write_bytes(sound)
    return place


def refused(path: Path, dimension: int | None = DIMENSION) -> str:
    with pytest.raises(FileError) as caught:
        read(path, dimension, IDENTITY)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, CheckpointError)
    return caught.value.reason


def rewritten(path: Path, **options: object) -> None:
    """Store the params in another way, leaving every attribute as it was."""
    with h5py.File(path, "r+") as file:
        values = file["params"][:]
        del file["params"]
        file.create_dataset("params", **{"data": values, **options})


def test_what_was_written_is_read_bit_for_bit(path: Path) -> None:
    found = read(path, DIMENSION, IDENTITY)
    assert found.params.tobytes() == params_of(3, 400).tobytes()
    assert found.params.dtype == np.float32
    assert (found.header.step, found.header.server, found.header.identity) == (400, 3, IDENTITY)
    assert found.header.writers == Writers(6, 1, 5) == Writers.of(CLUSTER)
    assert found.header.numpy_version == np.__version__


def test_a_file_is_readable_without_this_program(path: Path) -> None:
    with h5py.File(path) as file:
        assert list(file) == ["params"]
        assert (file["params"][:] == params_of(3, 400)).all()
        assert file["params"].dtype == "<f4"
        assert file.attrs["step"] == 400
        assert file.attrs["server_quorum"] == 5
        assert file.attrs["identity"].decode() == IDENTITY
        assert len(file.attrs["sha256"]) == 64


NOTES = Notes(seed=7, schedule="inverse-time", learning_rate=0.1, life=3)


def test_a_file_says_how_and_where_in_its_run_it_was_made(tmp_path: Path) -> None:
    store = store_of(tmp_path, 3)
    header = read(store.write(400, params_of(3, 400), NOTES)).header
    assert (header.seed, header.schedule, header.learning_rate, header.life) == astuple(NOTES)
    assert (header.workers, header.byzantine_workers, header.worker_quorum) == (6, 1, 5)
    assert header.python_version == ".".join(map(str, sys.version_info[:3]))


def test_the_version_of_torch_is_told_by_those_who_have_loaded_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert Header(1, 0, "", 1, 0, 1).torch_version == ""
    assert "torch" not in sys.modules
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__version__="2.13.0"))
    assert Header(1, 0, "", 1, 0, 1).torch_version == "2.13.0"


def test_a_file_says_what_could_be_restored_when_it_was_written(tmp_path: Path) -> None:
    stores = [store_of(tmp_path, server) for server in range(6)]
    for step in (10, 20, 30):
        for store in stores:
            store.write(step, params_of(store.server, step))
    found = [read(path_of(tmp_path, 0, step)).header.restorable for step in (10, 20, 30)]
    assert found == [0, 0, 10]
    assert read(path_of(tmp_path, 5, 30)).header.restorable == 20


def test_equal_checkpoints_are_equal_files(tmp_path: Path, sound: bytes) -> None:
    assert store_of(tmp_path, 3).write(400, params_of(3, 400)).read_bytes() == sound


@pytest.mark.parametrize("bits", [0x80000000, 1, 0x7F7FFFFF, 0x00800000])
def test_any_finite_bits_survive(tmp_path: Path, bits: int) -> None:
    params = np.full(DIMENSION, bits, np.uint32).view(np.float32)
    place = store_of(tmp_path, 0).write(1, params)
    assert read(place).params.tobytes() == params.tobytes()


def test_a_file_cut_anywhere_is_refused(path: Path, sound: bytes) -> None:
    for size in [*range(0, len(sound), 61), len(sound) - 1]:
        path.write_bytes(sound[:size])
        assert path.stat().st_size < len(sound)
        refused(path)


def test_every_bit_of_the_params_is_protected(path: Path, sound: bytes) -> None:
    start = sound.index(params_of(3, 400).tobytes()) * 8
    for bit in range(start, start + 32 * DIMENSION, 7):
        path.write_bytes(sound)
        flip_bit(path, bit)
        assert "sha256" in refused(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", np.int64(401)),
        ("server", np.int64(2)),
        ("servers", np.int64(7)),
        ("byzantine_servers", np.int64(0)),
        ("server_quorum", np.int64(3)),
        ("identity", np.bytes_(b"mlp/mnist/seed-2")),
        ("numpy_version", np.bytes_(b"0.0")),
        ("workers", np.int64(9)),
        ("seed", np.int64(9)),
        ("schedule", np.bytes_(b"constant")),
        ("learning_rate", np.float64(0.25)),
        ("life", np.int64(9)),
        ("restorable", np.int64(9)),
        ("sha256", np.bytes_(b"0" * 64)),
    ],
)
def test_an_edited_attribute_is_noticed(path: Path, name: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        assert file.attrs[name] != value
        file.attrs[name] = value
    assert "sha256" in refused(path)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_one_flipped_bit_is_refused_or_changes_nothing(
    sound: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = path_of(tmp_path_factory.getbasetemp() / "flipped", 3, 400)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(sound)
    flip_bit(place, data.draw(st.integers(0, len(sound) * 8 - 1)))
    assert place.read_bytes() != sound
    try:
        found = read(place, data.draw(st.sampled_from([DIMENSION, None])), IDENTITY)
    except FileError:
        return
    assert found.params.tobytes() == params_of(3, 400).tobytes()
    assert (found.header.step, found.header.server, found.header.identity) == (400, 3, IDENTITY)
    assert found.header.writers == Writers(6, 1, 5)


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\0" * 5000])
def test_what_is_not_hdf5_is_refused(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    refused(path)


def test_a_foreign_hdf5_file_is_refused(path: Path) -> None:
    path.unlink()
    with h5py.File(path, "w") as file:
        file["params"] = params_of(3, 400)
    assert "not a checkpoint" in refused(path)


def as_of(path: Path, version: int) -> str:
    """Turn a file into one of another version, which has other attributes."""
    name = f"guanyu_mpi checkpoint {version}"
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = np.bytes_(name.encode())
        del file.attrs["seed"], file.attrs["learning_rate"]
    return name


def test_a_future_format_is_refused_and_says_to_update(path: Path) -> None:
    name = as_of(path, 3)
    reason = refused(path)
    assert reason.startswith(f"its format is {name!r}, while this guanyu_mpi ")
    assert reason.endswith(" reads 'guanyu_mpi checkpoint 2': update it to continue this run")


def test_a_former_format_is_refused_and_says_with_what_to_go_on(path: Path) -> None:
    name = as_of(path, 1)
    assert f"its format is {name!r}" in refused(path)
    assert "continue this run with the version that wrote it" in refused(path)


@pytest.mark.parametrize("name", [b"guanyu_mpi trace 1", b"guanyu_mpi checkpoint", b"2", b""])
def test_another_kind_of_file_is_not_called_a_version(path: Path, name: bytes) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = np.bytes_(name)
    assert refused(path).startswith("not a checkpoint: its format is")


def test_an_added_attribute_or_object_is_refused(path: Path, sound: bytes) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["note"] = "harmless"
    assert "attributes" in refused(path)
    path.write_bytes(sound)
    with h5py.File(path, "r+") as file:
        file["more"] = 1
    assert "objects" in refused(path)


@pytest.mark.parametrize("value", [np.float64(400), np.int64([400]), np.int32(400), "400"])
def test_a_number_of_another_type_is_refused(path: Path, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["step"] = value
    assert "step is not one 64-bit number" in refused(path)


@pytest.mark.parametrize("value", [np.int64(1), np.float32(1), np.float64([1]), "1"])
def test_a_rate_of_another_type_is_refused(path: Path, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["learning_rate"] = value
    assert "learning_rate is not one 64-bit number" in refused(path)


@pytest.mark.parametrize("value", [np.bytes_(b"a" * 257), "variable length", np.int64(1)])
def test_a_text_without_a_bound_is_refused(path: Path, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["identity"] = value
    assert "identity is not a text" in refused(path)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "<f8"},
        {"dtype": ">f4"},
        {"dtype": "<i4"},
        {"data": np.zeros((4, 4), np.float32)},
        {"data": np.float32(1)},
    ],
)
def test_params_of_another_type_or_rank_are_refused(
    path: Path, options: dict[str, object]
) -> None:
    rewritten(path, **options)
    assert "not a vector of float32" in refused(path)


@pytest.mark.parametrize(
    "options", [{"chunks": (4,)}, {"compression": "gzip"}, {"fletcher32": True}]
)
def test_params_that_are_not_contiguous_are_refused(
    path: Path, options: dict[str, object]
) -> None:
    rewritten(path, **options)
    assert "not contiguous" in refused(path)


def test_params_in_another_file_are_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(params_of(3, 400).tobytes())
    rewritten(
        path, data=None, shape=(DIMENSION,), dtype="<f4", external=[(str(tmp_path / "raw"), 0, 64)]
    )
    with h5py.File(path) as file:
        assert (file["params"][:] == params_of(3, 400)).all()
    assert "not contiguous in the file itself" in refused(path)


def test_virtual_and_linked_params_are_refused(path: Path, sound: bytes, tmp_path: Path) -> None:
    (tmp_path / "whole.h5").write_bytes(sound)
    with h5py.File(path, "r+") as file:
        del file["params"]
        layout = h5py.VirtualLayout((DIMENSION,), "<f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "whole.h5"), "params", (DIMENSION,))
        file.create_virtual_dataset("params", layout)
    assert "not contiguous" in refused(path)
    with h5py.File(path, "r+") as file:
        del file["params"]
        file["params"] = h5py.ExternalLink(str(tmp_path / "whole.h5"), "params")
        assert (file["params"][:] == params_of(3, 400)).all()
    assert "objects" in refused(path)


@pytest.mark.parametrize("dimension", [DIMENSION, None])
def test_a_hostile_shape_allocates_nothing(path: Path, dimension: int | None) -> None:
    with h5py.File(path, "r+") as file:
        del file["params"]
        space = h5py.h5s.create_simple((1 << 40,))
        h5py.h5d.create(file.id, b"params", h5py.h5t.IEEE_F32LE, space)
        assert file["params"].shape == (1 << 40,)
    tracemalloc.start()
    refused(path, dimension)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_another_dimension_is_refused(path: Path) -> None:
    assert refused(path, DIMENSION + 1) == "holds 16 params, while the model has 17"


def test_another_run_is_told_apart_from_damage(path: Path, tmp_path: Path) -> None:
    for dimension in (DIMENSION, DIMENSION + 1):
        with pytest.raises(ForeignError, match=r"mlp/mnist/seed-1.*cnnet/seed-2"):
            read(path, dimension, "cnnet/seed-2")
    damage(tmp_path, 3, 400)
    with pytest.raises(FileError, match="sha256") as caught:
        read(path, DIMENSION, "cnnet/seed-2")
    assert not isinstance(caught.value, ForeignError)


@pytest.mark.parametrize(("server", "step"), [(3, 401), (2, 400)])
def test_a_copy_under_another_name_is_refused(path: Path, server: int, step: int) -> None:
    copy = path_of(path.parent.parent, server, step)
    copy.parent.mkdir(exist_ok=True)
    path.rename(copy)
    assert refused(copy) == "is a copy of server 3's step 400"


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((7, 6, 1, 5), "server 7 of 6 servers does not exist"),
        ((-1, 6, 1, 5), "server -1 of 6 servers does not exist"),
        ((3, 6, 1, 7), "contradict each other"),
        ((3, 6, 5, 5), "contradict each other"),
        ((3, 6, -1, 5), "contradict each other"),
    ],
)
def test_numbers_that_cannot_be_true_are_refused(
    path: Path, numbers: tuple[int, int, int, int], reason: str
) -> None:
    server, *writers = numbers
    write_file(path, Checkpoint(Header(400, server, IDENTITY, *writers), params_of(3, 400)))
    assert reason in refused(path)


def test_links_pipes_and_directories_are_refused(path: Path, tmp_path: Path) -> None:
    path.rename(tmp_path / "elsewhere.h5")
    path.symlink_to(tmp_path / "elsewhere.h5")
    assert "symbolic link" in refused(path)
    path.unlink()
    os.mkfifo(path)
    assert refused(path) == "not a regular file"
    path.unlink()
    path.mkdir()
    assert refused(path) == "not a regular file"
    path.rmdir()
    assert refused(path) == "No such file or directory"


def test_a_linked_directory_cannot_count_for_another_server(path: Path, tmp_path: Path) -> None:
    linked = tmp_path / "other"
    linked.mkdir()
    (linked / "server-03").symlink_to(path.parent)
    assert "symbolic link" in refused(path_of(linked, 3, 400))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_params_that_are_not_finite_are_refused(path: Path, value: float) -> None:
    params = params_of(3, 400)
    params[5] = value
    write_file(path, Checkpoint(read(path).header, params))
    assert refused(path) == "its params are not finite"
