"""Small run directories for the tests of checkpoints, and ways to damage them."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from guanyu_mpi.checkpoint import Restored, Store, path_of, restore
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.messages import Vector
from guanyu_mpi.spawn import Result

CLUSTER = Cluster(6, 1, 5, 6, 1, 5)
LARGER = Cluster(9, 2, 7, 6, 1, 5)
DIMENSION = 16
IDENTITY = "mlp/mnist/seed-1"
EVERYONE = range(6)


def params_of(server: int, step: int, life: int = 0) -> Vector:
    """Parameters that no other server, step or life has, and that no rounding changes."""
    return np.arange(DIMENSION, dtype=np.float32) / 32 + (life * 10_000 + step + server / 16)


def store_of(
    root: Path,
    server: int,
    cluster: Cluster = CLUSTER,
    keep: int = 3,
    *,
    identity: str = IDENTITY,
    keep_every: int = 0,
) -> Store:
    return Store(
        root,
        server,
        cluster,
        dimension=DIMENSION,
        identity=identity,
        keep=keep,
        keep_every=keep_every,
    )


def save(
    root: Path,
    servers: Iterable[int],
    steps: Iterable[int],
    cluster: Cluster = CLUSTER,
    identity: str = IDENTITY,
) -> None:
    """Each server writes each step, by an honest store."""
    for server in servers:
        store = store_of(root, server, cluster, identity=identity)
        for step in steps:
            store.write(step, params_of(server, step))


def restored(
    root: Path,
    server: int | None,
    cluster: Cluster = CLUSTER,
    *,
    dimension: int = DIMENSION,
    step: int | None = None,
) -> Restored | None:
    """What a server begins with; None where there is nothing yet."""
    return restore(
        root,
        server,
        cluster,
        dimension=dimension,
        identity=IDENTITY,
        contraction=median,
        step=step,
    )


def found(root: Path, server: int | None, cluster: Cluster = CLUSTER) -> Restored:
    """What a server begins with, where there is something."""
    result = restored(root, server, cluster)
    assert result is not None
    return result


def contents(root: Path) -> dict[Path, bytes]:
    """Every file below a directory, to see that none has changed."""
    return {place: place.read_bytes() for place in root.rglob("*") if place.is_file()}


class Heard:
    """What a writer has told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def saved(self, step: int) -> None:
        self.events.append(("saved", step))

    def not_saved(self, step: int, reason: str) -> None:
        assert reason
        self.events.append(("not-saved", step))


class Disk:
    """Takes one step after the other, and has written it when it is told that it has."""

    def __init__(self) -> None:
        self.step = 0  # that is being written; 0 for none
        self._work: Callable[[], object] | None = None
        self._future: Future[Any] = Future()

    def write(self, step: int, _: Vector) -> None:
        self.step = step

    def spawn(self, work: Callable[[], Result], /) -> "Future[Result]":
        assert self._work is None, "one write at a time"
        self._work, self._future = work, Future()
        work()
        return self._future

    def finish(self, fault: Exception | None = None) -> None:
        """What is being written, if anything is, is written now."""
        if self._work is None:
            return
        self._work, self.step = None, 0
        if fault:
            self._future.set_exception(fault)
        else:
            self._future.set_result(None)


def median(vectors_nd: Vector) -> Vector:
    return np.median(vectors_nd, axis=0).astype(np.float32)


def flip_bit(path: Path, bit: int) -> None:
    contents = bytearray(path.read_bytes())
    contents[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(contents)


def damage(root: Path, server: int, step: int) -> Path:
    """Flip one bit of the params."""
    path = path_of(root, server, step)
    before = path.read_bytes()
    start = before.index(params_of(server, step).tobytes())
    flip_bit(path, start * 8 + 70)
    assert path.read_bytes() != before
    return path
