"""One server's directory: a file appears whole or not at all, and what is needed stays."""

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checkpoint_runs import (
    CLUSTER,
    DIMENSION,
    EVERYONE,
    IDENTITY,
    LARGER,
    params_of,
    save,
    store_of,
)

from guanyu_mpi.checkpoint import path_of, read, scan
from guanyu_mpi.checkpoint.election import AHEAD_MAX
from guanyu_mpi.errors import CheckpointError, InvariantError


def names(root: Path, server: int = 0) -> set[str]:
    return {place.name for place in path_of(root, server, 0).parent.iterdir()}


def holds(root: Path, server: int, *steps: int) -> bool:
    """Exactly these files, each of them valid, and nothing else beside them."""
    for step in steps:
        assert read(path_of(root, server, step), DIMENSION, IDENTITY).header.server == server
    return names(root, server) == {path_of(root, server, step).name for step in steps}


def test_a_file_lies_where_the_documentation_says(tmp_path: Path) -> None:
    place = store_of(tmp_path / "checkpoints", 3).write(400, params_of(3, 400))
    assert place == tmp_path / "checkpoints" / "server-03" / "step-000000400.h5"
    assert place.is_file()


def test_numbers_of_any_length_keep_their_order(tmp_path: Path) -> None:
    store = store_of(tmp_path, 0)
    for step in (1, 999_999_999, 1_000_000_000):
        store.write(step, params_of(0, step))
    assert scan(tmp_path) == {0: (1_000_000_000, 999_999_999, 1)}
    assert holds(tmp_path, 0, 1, 999_999_999, 1_000_000_000)


@pytest.mark.parametrize("keep", [2, 3])
def test_servers_in_step_keep_exactly_the_newest(tmp_path: Path, keep: int) -> None:
    stores = [store_of(tmp_path, server, keep=keep) for server in EVERYONE]
    for step in (10, 20, 30, 40, 50):
        for store in stores:
            store.write(step, params_of(store.server, step))
    assert all(holds(tmp_path, server, *range(60 - 10 * keep, 60, 10)) for server in EVERYONE)


def test_with_one_to_keep_the_old_one_stays_until_a_quorum_has_the_new(tmp_path: Path) -> None:
    stores = [store_of(tmp_path, server, keep=1) for server in EVERYONE]
    for step in (10, 20):
        for store in stores:
            store.write(step, params_of(store.server, step))
    assert [scan(tmp_path)[server] for server in EVERYONE] == [(20, 10)] * 4 + [(20,)] * 2


def test_a_server_ahead_of_the_others_keeps_what_they_can_restore(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    save(tmp_path, [0, 1], [20, 30, 40, 50, 60])
    assert scan(tmp_path)[0] == (60, 50, 40, 30, 20, 10)


def test_multiples_of_a_number_are_kept_for_good(tmp_path: Path) -> None:
    stores = [store_of(tmp_path, server, keep=2, keep_every=30) for server in EVERYONE]
    for step in range(10, 110, 10):
        for store in stores:
            store.write(step, params_of(store.server, step))
    assert all(holds(tmp_path, server, 30, 60, 90, 100) for server in EVERYONE)


def test_a_server_far_ahead_keeps_what_slower_disks_do_not_skip(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    save(tmp_path, [0], range(20, 420, 10))
    assert {10, 80, 160, 240, 320} < {*scan(tmp_path)[0]}
    assert len(scan(tmp_path)[0]) <= 1 + AHEAD_MAX + 3


def test_a_step_may_be_saved_again(tmp_path: Path) -> None:
    store = store_of(tmp_path, 0)
    store.write(10, params_of(0, 10))
    store.write(10, params_of(0, 11))
    assert (read(path_of(tmp_path, 0, 10)).params == params_of(0, 11)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_params_that_are_not_finite_are_not_written(tmp_path: Path, value: float) -> None:
    store = store_of(tmp_path, 0)
    store.write(10, params_of(0, 10))
    params = params_of(0, 20)
    params[7] = value
    with pytest.raises(CheckpointError, match=r"step-000000020.h5: not written: .*not finite"):
        store.write(20, params)
    assert holds(tmp_path, 0, 10)


@pytest.mark.parametrize(
    ("step", "params"),
    [
        (0, params_of(0, 1)),
        (1, params_of(0, 1)[1:]),
        (1, params_of(0, 1).astype(np.float64)),
        (1, params_of(0, 1).reshape(4, 4)),
    ],
)
def test_what_this_program_never_saves_is_its_own_fault(
    tmp_path: Path, step: int, params: np.ndarray
) -> None:
    with pytest.raises(InvariantError):
        store_of(tmp_path, 0).write(step, params)
    assert holds(tmp_path, 0)


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_failed_move_leaves_the_old_checkpoints_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = store_of(tmp_path, 0, keep=1)
    store.write(10, params_of(0, 10))
    written: list[bytes] = []

    def refuse(source: Path, target: Path) -> None:
        written.append(Path(source).read_bytes())
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    for step in (10, 20):
        with pytest.raises(CheckpointError) as caught:
            store.write(step, params_of(0, step))
        assert str(caught.value) == f"{path_of(tmp_path, 0, step)}: not written: " + os.strerror(
            code
        )
    assert len(written) == 2
    assert holds(tmp_path, 0, 10)


def test_the_disk_has_the_file_before_its_name_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(tmp_path, 0)
    done: list[tuple[str, str]] = []
    sync, sync_data, replace = os.fsync, os.fdatasync, os.replace

    def watch_sync(descriptor: int) -> None:
        sync(descriptor)
        done.append(("sync", Path(f"/proc/self/fd/{descriptor}").resolve().name))

    def watch_data(descriptor: int) -> None:
        sync_data(descriptor)
        place = Path(f"/proc/self/fd/{descriptor}").resolve()
        contents = place.read_bytes()
        assert params_of(0, 10).tobytes() in contents
        done.append(("sync without digest" if b"0" * 64 in contents else "sync", place.name))

    def watch_replace(source: Path, target: Path) -> None:
        replace(source, target)
        done.append((Path(source).name, Path(target).name))

    monkeypatch.setattr(os, "fsync", watch_sync)
    monkeypatch.setattr(os, "fdatasync", watch_data)
    monkeypatch.setattr(os, "replace", watch_replace)
    store.write(10, params_of(0, 10))
    temporary = f".writing-{socket.gethostname()}-{os.getpid()}.h5"
    assert done == [
        ("sync without digest", temporary),
        ("sync", temporary),
        (temporary, "step-000000010.h5"),
        ("sync", "server-00"),
    ]


def test_nothing_is_removed_before_the_new_file_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, EVERYONE, [10, 20, 30])
    removed = []
    remove = Path.unlink

    def watch(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith("step"):
            assert read(path_of(tmp_path, 0, 40), DIMENSION, IDENTITY)
            removed.append(path.name)
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", watch)
    store_of(tmp_path, 0).write(40, params_of(0, 40))
    assert removed == ["step-000000010.h5"]


def test_all_of_a_large_vector_is_written_however_little_the_system_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, sizes = os.pwrite, []

    def reluctant(descriptor: int, contents: memoryview, offset: int) -> int:
        sizes.append(pwrite(descriptor, contents[:7], offset))
        return sizes[-1]

    monkeypatch.setattr(os, "pwrite", reluctant)
    store_of(tmp_path, 0).write(10, params_of(0, 10))
    assert max(sizes) == 7
    assert sum(sizes) > DIMENSION * 4
    assert holds(tmp_path, 0, 10)


@pytest.mark.parametrize("name", ["pwrite", "fdatasync", "fsync"])
def test_whatever_fails_on_the_way_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    store = store_of(tmp_path, 0)
    store.write(10, params_of(0, 10))

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(CheckpointError, match=r"step-000000020.h5: not written: Input/output"):
        store.write(20, params_of(0, 20))
    # Once its directory cannot be forced to the disk, the new file may be there or not.
    assert holds(tmp_path, 0, 10, *([20] if name == "fsync" else []))


def test_a_directory_that_is_gone_is_named(tmp_path: Path) -> None:
    store = store_of(tmp_path, 0)
    path_of(tmp_path, 0, 0).parent.rmdir()
    with pytest.raises(CheckpointError, match=r"step-000000010.h5: not written: No such file"):
        store.write(10, params_of(0, 10))


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from guanyu_mpi.checkpoint import Store
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError
params = np.ones(50_000, np.float32)
store = Store(Path(sys.argv[1]), 0, Cluster(6, 1, 5, 6, 1, 5),
              dimension=len(params), identity="full", keep=2)
store.write(10, params)
free = resource.getrlimit(resource.RLIMIT_FSIZE)
for size in (0, 100, 5_000, 199_000, 201_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, free[1]))
    try:
        store.write(20, params)
    except CheckpointError as fault:
        message = str(fault)
    resource.setrlimit(resource.RLIMIT_FSIZE, free)
    print(message, flush=True)
    print([place.name for place in Path(sys.argv[1], "server-00").iterdir()], flush=True)
    del message
store.write(20, params)
"""


def test_a_full_disk_is_reported_and_survived(tmp_path: Path) -> None:
    """A limit on the size of files fails writes as a full disk does, wherever it strikes."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 10
    assert lines[1::2] == ["['step-000000010.h5']"] * 5
    assert all("step-000000020.h5: not written: " in line for line in lines[::2])
    assert all("large" in line for line in lines[::2]), lines
    assert scan(tmp_path) == {0: (20, 10)}
    assert read(path_of(tmp_path, 0, 20)).params.sum() == 50_000


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from checkpoint_runs import params_of, store_of
store = store_of(Path(sys.argv[1]), 0)
store.write(10, params_of(0, 10))
os.replace = lambda source, target: os.kill(os.getpid(), signal.SIGKILL)
store.write(20, params_of(0, 20))
"""


def test_a_kill_between_writing_and_moving_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, Path(__file__).parent], check=False
    )
    assert done.returncode == -signal.SIGKILL
    left = names(tmp_path) - {"step-000000010.h5"}
    assert len(left) == 1
    assert scan(tmp_path) == {0: (10,)}
    store_of(tmp_path, 0)
    assert holds(tmp_path, 0, 10)


def test_only_what_dead_writers_left_is_swept(tmp_path: Path) -> None:
    store_of(tmp_path, 0).write(10, params_of(0, 10))
    directory = path_of(tmp_path, 0, 0).parent
    host, dead = socket.gethostname(), 999_999_999
    gone = [
        f".writing-{host}-{dead}.h5",
        f".writing-{host}-{os.getpid()}.h5",
        f".writing-another-host.example-{os.getppid()}.h5",
    ]
    stay = [
        f".writing-{host}-{os.getppid()}.h5",
        f".writing-{host}-12x.h5",
        f".writing-{host}-12.h5.old",
        "notes.h5",
        "step-10.h5",
    ]
    for name in (*gone, *stay):
        (directory / name).touch()
    store_of(tmp_path, 0)
    assert names(tmp_path) == {*stay, "step-000000010.h5"}


def test_a_scan_lists_only_canonical_names(tmp_path: Path) -> None:
    save(tmp_path, [0, 1], [10, 20])
    directory = path_of(tmp_path, 0, 0).parent
    for name in ("step-30.h5", "step-0000000030.h5", "step-000000030.h5.abandoned", "step-x.h5"):
        (directory / name).touch()
    for name in ("server-2", "server-003", "server-xx", "worker-00"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "step-000000030.h5").touch()
    (tmp_path / "server-04").touch()
    (tmp_path / "server-05").symlink_to(directory)
    found = scan(tmp_path)
    assert {server: steps for server, steps in found.items() if steps} == {
        0: (20, 10),
        1: (20, 10),
    }
    assert scan(tmp_path / "nowhere") == {}


def test_a_directory_that_cannot_be_listed_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, [0, 1], [10])

    def fail(path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(CheckpointError, match="not listed: Input/output error"):
        scan(tmp_path)


def test_a_linked_directory_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "server-00").symlink_to(tmp_path)
    with pytest.raises(CheckpointError, match="symbolic link"):
        store_of(tmp_path, 0)


def test_a_linked_root_is_the_users_choice(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "scratch")
    place = store_of(tmp_path / "checkpoints", 0).write(10, params_of(0, 10))
    assert read(place, DIMENSION, IDENTITY).header.step == 10


def test_what_an_earlier_life_left_is_set_aside_until_the_next_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    save(tmp_path, [0, 1], [20, 30])
    store = store_of(tmp_path, 0)
    store.rewind(10)
    aside = {"step-000000020.h5.abandoned", "step-000000030.h5.abandoned"}
    assert names(tmp_path) == {"step-000000010.h5", *aside}
    assert scan(tmp_path)[0] == (10,)
    assert scan(tmp_path)[1] == (30, 20, 10)
    restored = path_of(tmp_path, 0, 20)
    restored.with_name("step-000000020.h5.abandoned").rename(restored)
    assert read(restored, DIMENSION, IDENTITY).header.step == 20
    store.rewind(10)
    store.write(20, params_of(0, 20))
    assert holds(tmp_path, 0, 10, 20)


def test_a_higher_step_than_the_one_written_does_not_crowd_it_out(tmp_path: Path) -> None:
    save(tmp_path, [0], [50, 60, 70])
    store_of(tmp_path, 0, keep=1).write(10, params_of(0, 10))
    assert scan(tmp_path)[0] == (10,)
    assert "step-000000070.h5.abandoned" in names(tmp_path)


def test_servers_that_are_no_more_are_inherited(tmp_path: Path) -> None:
    save(tmp_path, range(9), [10, 20], LARGER)
    save(tmp_path, [6, 8], [30], LARGER)
    stores = [store_of(tmp_path, server, keep=2) for server in EVERYONE]
    for store in stores:
        store.rewind(20)
    assert [scan(tmp_path)[server] for server in (6, 7, 8)] == [(20, 10)] * 3
    for step in (30, 40):
        for store in stores:
            store.write(step, params_of(store.server, step))
        assert all(20 in scan(tmp_path)[server] for server in (6, 7, 8)) == (step == 30)
    for store in stores:
        store.write(50, params_of(store.server, 50))
    assert [names(tmp_path, server) for server in (6, 7, 8)] == [set()] * 3


def test_a_server_that_is_no_more_has_one_heir(tmp_path: Path) -> None:
    save(tmp_path, range(9), [10, 20], LARGER)
    for step in (30, 40, 50, 60):
        save(tmp_path, range(1, 6), [step])
    assert [scan(tmp_path)[server] for server in (6, 7, 8)] == [(20, 10), (), ()]
    save(tmp_path, [0], [30, 40, 50, 60])
    assert scan(tmp_path)[6] == ()


def test_the_step_of_this_life_stays_until_a_quorum_has_a_newer_one(tmp_path: Path) -> None:
    """The cluster grew: no quorum of the new one ever had step 20."""
    save(tmp_path, EVERYONE, [20])
    store = store_of(tmp_path, 0, LARGER, keep=1)
    store.rewind(20)
    for step in (30, 40):
        store.write(step, params_of(0, step))
    assert scan(tmp_path)[0] == (40, 30, 20)
    save(tmp_path, range(1, 9), [40], LARGER)
    store.write(50, params_of(0, 50))
    assert scan(tmp_path)[0] == (50, 40)


def test_a_store_that_cannot_be_is_our_own_fault(tmp_path: Path) -> None:
    for options in ({"server": 6}, {"server": -1}, {"server": 0, "keep": 0}):
        with pytest.raises(InvariantError):
            store_of(tmp_path, **options)
    for identity in ("ü", "a\nb", "a" * 257):
        with pytest.raises(InvariantError):
            store_of(tmp_path, 0, CLUSTER, identity=identity)
    assert not list(tmp_path.iterdir())
