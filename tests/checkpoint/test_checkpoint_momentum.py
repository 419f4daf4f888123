"""A worker's momentum on the disk: what was written is read, and nothing else is believed."""

import errno
import os
import socket
from pathlib import Path

import h5py
import numpy as np
import pytest

from guanyu_mpi.checkpoint import FileError, Store, Writers, path_of, scan
from guanyu_mpi.checkpoint.election import AHEAD_MAX
from guanyu_mpi.checkpoint.momentum import (
    MomentumHeader,
    MomentumStore,
    momentum_path,
    momentum_steps,
    read_momentum,
)
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.messages import Vector

DIMENSION = 16
IDENTITY = "mlp/mnist/seed-1"
WORKER = 3
CLUSTER = Cluster(3, 0, 2, 4, 0, 4)
WRITERS = Writers.of(CLUSTER)


def vector_of(step: int) -> Vector:
    return np.arange(DIMENSION, dtype=np.float32) / 32 - step


def store_of(root: Path, worker: int = WORKER, identity: str = IDENTITY) -> MomentumStore:
    return MomentumStore(
        root, worker, dimension=DIMENSION, identity=identity, keep=2, writers=WRITERS
    )


def save(root: Path, *steps: int) -> MomentumStore:
    store = store_of(root)
    for step in steps:
        store.write(step, vector_of(step))
    return store


def save_params(root: Path, *steps: int) -> None:
    """Two of three servers save something, which is a quorum of them."""
    for server in (0, 1):
        store = Store(root, server, CLUSTER, dimension=DIMENSION, identity=IDENTITY, keep=9)
        for step in steps:
            store.write(step, vector_of(step))


def names(root: Path) -> set[str]:
    return {place.name for place in momentum_path(root, WORKER, 0).parent.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save(tmp_path, 400)
    return momentum_path(tmp_path, WORKER, 400)


def refused(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        read_momentum(path, DIMENSION)
    assert str(path) in str(caught.value)
    return caught.value.reason


def test_what_was_written_is_read_bit_for_bit(tmp_path: Path) -> None:
    save(tmp_path, 400)
    begun = store_of(tmp_path).resume(400)
    assert (begun.step, begun.faults) == (400, ())
    assert begun.vector is not None
    assert begun.vector.dtype == np.float32
    assert begun.vector.tobytes() == vector_of(400).tobytes()


def test_a_file_is_readable_without_this_program(path: Path) -> None:
    with h5py.File(path) as file:
        assert list(file) == ["momentum"]
        assert (file["momentum"][:] == vector_of(400)).all()
        assert (file.attrs["step"], file.attrs["worker"]) == (400, WORKER)
        assert file.attrs["identity"].decode() == IDENTITY


def test_a_momentum_is_nobodys_checkpoint(path: Path) -> None:
    assert path.exists()
    assert scan(path.parent.parent) == {}


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    sound = path.read_bytes()
    for size in [*range(0, len(sound), 61), len(sound) - 1]:
        path.write_bytes(sound[:size])
        assert path.stat().st_size < len(sound)
        refused(path)


def test_one_flipped_bit_is_refused_or_changes_nothing(path: Path) -> None:
    sound = path.read_bytes()
    num_refused = 0
    for bit in range(0, len(sound) * 8, 101):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            header, vector = read_momentum(path, DIMENSION)
        except FileError:
            num_refused += 1
        else:
            assert vector.tobytes() == vector_of(400).tobytes()
            assert header == MomentumHeader(400, WORKER, IDENTITY)
    assert num_refused > 0


@pytest.mark.parametrize("name", ["step", "worker"])
def test_an_edited_attribute_is_noticed(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs[name] = file.attrs[name] + 1
    assert refused(path).startswith("its contents do not match its sha256")


def test_that_of_another_model_is_refused(tmp_path: Path) -> None:
    larger = MomentumStore(
        tmp_path, WORKER, dimension=17, identity=IDENTITY, keep=2, writers=WRITERS
    )
    larger.write(400, np.zeros(17, np.float32))
    path = momentum_path(tmp_path, WORKER, 400)
    assert refused(path) == "holds 17 numbers, while the model has 16"


def test_a_servers_checkpoint_is_no_momentum(tmp_path: Path, path: Path) -> None:
    save_params(tmp_path, 400)
    path_of(tmp_path, 0, 400).replace(path)
    assert refused(path).startswith("not a momentum: its format is 'guanyu_mpi checkpoint")


def test_what_is_no_file_does_not_block(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    assert refused(path) == "not a regular file"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_momentum_that_is_not_finite_is_not_written(path: Path, value: float) -> None:
    broken = vector_of(500)
    broken[5] = value
    with pytest.raises(CheckpointError, match="not finite"):
        store_of(path.parent.parent).write(500, broken)
    assert names(path.parent.parent) == {path.name}


def test_the_newest_that_is_not_after_a_step_is_gone_on_with(tmp_path: Path) -> None:
    save(tmp_path, 100, 200, 300)
    begun = store_of(tmp_path).resume(250)
    assert (begun.step, begun.faults) == (200, ())


def test_what_is_newer_is_set_aside_until_the_next_is_saved(tmp_path: Path) -> None:
    save(tmp_path, 100, 200, 300)
    store = store_of(tmp_path)
    store.resume(200)
    assert names(tmp_path) == {f"step-000000{step}.h5" for step in (100, 200, 300)}
    store.rewind()
    assert names(tmp_path) == {
        "step-000000100.h5",
        "step-000000200.h5",
        "step-000000300.h5.abandoned",
    }
    store.write(300, vector_of(-300))
    assert names(tmp_path) == {"step-000000200.h5", "step-000000300.h5"}


def test_a_damaged_file_is_named_and_the_one_before_it_taken(tmp_path: Path) -> None:
    save(tmp_path, 100, 200)
    damaged = momentum_path(tmp_path, WORKER, 200)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    begun = store_of(tmp_path).resume(200)
    assert begun.step == 100
    assert [fault.path for fault in begun.faults] == [damaged]


def test_of_another_run_worker_or_step_nothing_is_taken(tmp_path: Path) -> None:
    path = momentum_path(tmp_path, WORKER, 100)
    save(tmp_path, 100)
    sound = path.read_bytes()
    (fault,) = store_of(tmp_path, identity="other").resume(100).faults
    assert fault.reason == f"is of worker 3 at step 100 of {IDENTITY!r}"
    path.rename(momentum_path(tmp_path, WORKER, 90))
    assert store_of(tmp_path).resume(100).step is None
    store_of(tmp_path, worker=2)
    momentum_path(tmp_path, 2, 100).write_bytes(sound)
    assert store_of(tmp_path, worker=2).resume(100).step is None


def test_what_this_program_has_not_named_is_left_alone(tmp_path: Path) -> None:
    save(tmp_path, 100)
    others = {"step-0000000100.h5", "step-0000000500.h5", "step-500.h5", "step-x.h5"}
    for name in others:
        momentum_path(tmp_path, WORKER, 0).with_name(name).touch()
    assert momentum_steps(tmp_path, WORKER) == (100,)
    assert store_of(tmp_path).resume(100).step == 100
    save(tmp_path, 200, 300)
    assert momentum_steps(tmp_path, WORKER) == (300, 200, 100)
    assert others < names(tmp_path)


def test_a_link_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    directory = momentum_path(tmp_path, WORKER, 0).parent
    (tmp_path / "elsewhere").mkdir()
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=f"{directory}: is a symbolic link; link {tmp_path}"):
        store_of(tmp_path)
    assert momentum_steps(tmp_path, WORKER) == ()


def test_who_has_saved_nothing_begins_with_nothing(tmp_path: Path) -> None:
    begun = store_of(tmp_path).resume(100)
    assert (begun.step, begun.vector, begun.faults) == (None, None, ())


def test_only_the_newest_are_kept_and_what_a_restart_may_need(tmp_path: Path) -> None:
    save_params(tmp_path, 100, 200)
    save(tmp_path, *range(100, 700, 100))
    assert momentum_steps(tmp_path, WORKER) == (600, 500, 400, 300, 200)
    save_params(tmp_path, 600)
    save(tmp_path, 700)
    assert momentum_steps(tmp_path, WORKER) == (700, 600)


def test_however_long_servers_save_nothing_few_are_kept(tmp_path: Path) -> None:
    save_params(tmp_path, 100)
    save(tmp_path, *range(100, 5000, 100))
    assert len(momentum_steps(tmp_path, WORKER)) <= 1 + AHEAD_MAX + 2
    assert momentum_steps(tmp_path, WORKER)[-1] == 100


def test_the_last_before_the_step_of_a_restart_is_kept(tmp_path: Path) -> None:
    """Where the worker skipped that very step."""
    save_params(tmp_path, 200)
    save(tmp_path, 120, 190, *range(300, 1000, 100))
    assert momentum_steps(tmp_path, WORKER)[-2:] == (300, 190)
    assert store_of(tmp_path).resume(200).step == 190


def test_what_a_killed_writer_has_left_is_removed(tmp_path: Path) -> None:
    save(tmp_path, 100)
    left = f".writing-{socket.gethostname()}-999999999.h5"
    momentum_path(tmp_path, WORKER, 0).with_name(left).write_bytes(b"half a file")
    assert store_of(tmp_path).resume(100).step == 100
    assert names(tmp_path) == {"step-000000100.h5"}


def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = save(tmp_path, 100)
    full: list[int] = []

    def fdatasync(descriptor: int) -> None:
        full.append(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with pytest.raises(CheckpointError, match="not written: No space left on device"):
        store.write(200, vector_of(200))
    assert full
    assert store.resume(200).step == 100
    assert names(tmp_path) == {"step-000000100.h5"}
