"""However far apart the servers are and whenever they are killed, a restart loses nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from checkpoint_runs import (
    CLUSTER,
    DIMENSION,
    IDENTITY,
    LARGER,
    Disk,
    Heard,
    median,
    params_of,
    save,
    store_of,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from guanyu_mpi.checkpoint import Store, Writers, begin, path_of, read, restore_step, resume, scan
from guanyu_mpi.checkpoint.election import AHEAD_MAX, retained
from guanyu_mpi.checkpoint.writer import Writer
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError

WRITERS = Writers.of(CLUSTER)
SERVERS = range(CLUSTER.servers)
PARAMS = params_of(0, 0)


class Directories:
    """A model of all servers' directories, one file operation at a time.

    A server writes a later step, looks at the directories one by one while the others go on, and
    then removes what it may, one file at a time; a kill may come between any two of these.
    """

    def __init__(self, random: Random) -> None:
        self.random, self.keep, self.restored = random, random.randint(1, 3), 0
        self.safe = 0  # the highest step that a quorum ever had
        self.present: dict[int, set[int]] = {server: set() for server in SERVERS}
        self.life()

    def life(self) -> None:
        """Nobody is in the middle of anything; some servers are much slower than others."""
        self.seen: dict[int, dict[int, set[int]]] = {}
        self.removals: dict[int, list[int]] = {server: [] for server in SERVERS}
        self.speeds = [self.random.choice([0.02, 0.2, 1, 1, 5]) for _ in SERVERS]

    def advance(self) -> None:
        (server,) = self.random.choices(SERVERS, self.speeds)
        if self.removals[server]:
            self.present[server].remove(self.removals[server].pop())
        elif server in self.seen:
            self.look(server)
        else:
            self.write(server)
        found = restore_step(self.present, WRITERS.server_quorum) or 0
        assert found >= self.safe
        self.safe = found

    def write(self, server: int) -> None:
        """Any later step, but not many before a quorum has one."""
        beyond = [step for step in self.present[server] if step > self.safe]
        if len(beyond) < AHEAD_MAX:
            newest = max(self.present[server], default=self.restored)
            self.present[server].add(newest + self.random.choice([1, 1, 1, 1, 2]))
            self.seen[server] = {}

    def look(self, server: int) -> None:
        """At a few directories, and then at what may be removed."""
        seen = self.seen[server]
        for other in range(len(seen), min(len(seen) + self.random.randint(1, 6), len(SERVERS))):
            seen[other] = set(self.present[other])
        if len(seen) == len(SERVERS):
            kept = retained(seen, server, self.keep, WRITERS, self.restored)
            self.removals[server] = list(self.present[server] - kept)
            del self.seen[server]

    def kill(self) -> None:
        """And restart: every server sets aside what is newer than the restored step."""
        self.restored = restore_step(self.present, WRITERS.server_quorum) or 0
        for server in SERVERS:
            self.present[server] = {s for s in self.present[server] if s <= self.restored}
        self.life()


class LockstepDirectories(Directories):
    """The same when no server passes a step before a quorum has it: keep = 2 is all it takes."""

    def write(self, server: int) -> None:
        newest = max(self.present[server], default=0)
        holders = sum(max(steps, default=0) >= newest for steps in self.present.values())
        if holders >= WRITERS.server_quorum:
            self.present[server].add(newest + 1)
            self.removals[server] = sorted(self.present[server])[:-2]


class LaggingDirectories(Directories):
    """The same where files are written beside the training, and disks lag behind and skip steps.

    A server's writer hands it the next step when the last is written and tidied up after.
    """

    def life(self) -> None:
        super().life()
        self.now = self.restored
        self.disks = [Disk() for _ in SERVERS]
        self.writers = [
            Writer(disk.write, spawn=disk.spawn, told=Heard(), clock_s=lambda: 0.0)
            for disk in self.disks
        ]

    def write(self, server: int) -> None:
        """What is to be written next, and before that the training of all, now and then."""
        disk = self.disks[server]
        disk.finish()
        if self.random.random() < 0.3 and self.ahead() < AHEAD_MAX:
            self.now += 1
            for writer in self.writers:
                writer.offer(self.now, PARAMS)
        if disk.step:
            self.present[server].add(disk.step)
            self.seen[server] = {}

    def ahead(self) -> int:
        return max(sum(step > self.safe for step in self.present[s]) for s in SERVERS)


@pytest.mark.parametrize("model", [Directories, LockstepDirectories, LaggingDirectories])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_the_step_of_a_restart_never_decreases(model: type[Directories], seed: int) -> None:
    random = Random(seed)
    directories = model(random)
    for _ in range(400):
        directories.advance()
        if random.random() < 0.01:
            directories.kill()


class Killed(BaseException):
    """The process ends here: nothing may catch it, and nothing happens afterwards."""


@contextmanager
def killed_after(operations: int) -> Iterator[None]:
    """Let so many file operations happen, and then none."""
    left = operations

    def counted(operation):
        def run(*args, **options):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return operation(*args, **options)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, counted(lambda _: None))
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        yield


def start(root: Path, cluster: Cluster, keep: int) -> tuple[list[Store], int]:
    """All servers restore and agree on the step; as a job does before anybody writes."""
    with killed_after(10**9):
        stores = [store_of(root, server, cluster, keep) for server in range(cluster.servers)]
        restored = [resume(store, median) for store in stores]
        for store, found in zip(stores, restored, strict=True):
            begin(store, found)
    steps = {found.step if found else 0 for found in restored}
    assert len(steps) == 1
    lives = {int(found.params[0]) // 10_000 for found in restored if found}
    assert len(lives) <= 1, "files of different lives were taken for one step"
    return stores, steps.pop()


def live(stores: list[Store], life: int, begun: int, order: list[int], operations: int) -> None:
    """Servers write steps of their own in this order, until the kill."""
    newest = dict.fromkeys(range(len(stores)), begun)
    with pytest.raises(Killed), killed_after(operations):
        for turn in order:
            server = turn % len(stores)
            newest[server] += 1 + (turn > 90)
            stores[server].write(newest[server], params_of(server, newest[server], life))
        raise Killed


@given(st.data())
# A shorter failing example is not worth the minutes of writing files that finding it takes.
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.data_too_large],
)
def test_real_files_survive_any_kill_and_any_change_of_the_cluster(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("killed")
    safe = 0
    for life in range(1, 5):
        cluster = data.draw(st.sampled_from([CLUSTER, CLUSTER, CLUSTER, LARGER]))
        stores, begun = start(root, cluster, data.draw(st.integers(1, 3)))
        assert begun >= safe
        order = data.draw(st.lists(st.integers(0, 99), max_size=30))
        live(stores, life, begun, order, data.draw(st.integers(0, 150)))
        present = {s: steps for s, steps in scan(root).items() if s < cluster.servers}
        safe = max(begun, restore_step(present, cluster.server_quorum) or 0)
    assert start(root, cluster, 2)[1] >= safe


def test_a_first_checkpoint_that_fast_disks_have_passed_is_begun_anew(tmp_path: Path) -> None:
    """Two servers have written two, the others none: more than could lie, too few to restore."""
    save(tmp_path, [0, 1], [10, 20])
    assert start(tmp_path, CLUSTER, 2)[1] == 0


def test_what_a_quorum_once_had_is_not_begun_anew(tmp_path: Path) -> None:
    stores, _ = start(tmp_path, CLUSTER, 2)
    for step in (10, 20, 30):
        for store in stores:
            store.write(step, params_of(store.server, step))
    for server in range(2, 6):
        for step in scan(tmp_path)[server]:
            path_of(tmp_path, server, step).unlink()
    with pytest.raises(CheckpointError, match="no step can be restored"):
        start(tmp_path, CLUSTER, 2)


@pytest.mark.parametrize("operations", range(13))
def test_a_kill_between_any_two_file_operations_of_a_write(
    tmp_path: Path, operations: int
) -> None:
    stores, _ = start(tmp_path, CLUSTER, 2)
    for step in (1, 2, 3):
        for store in stores:
            store.write(step, params_of(store.server, step))
    present = scan(tmp_path)
    live(stores[:1], 0, 3, [0], operations)
    assert (scan(tmp_path) == present) == (operations < 3)
    for step in (2, 3):
        assert (
            read(path_of(tmp_path, 1, step), DIMENSION, IDENTITY).params == params_of(1, step)
        ).all()
    assert start(tmp_path, CLUSTER, 2)[1] == 3
