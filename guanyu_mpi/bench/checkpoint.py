"""The checkpoints' benchmark: a server's files, beside the same bytes with nothing else.

Raw is what any program must do that wants to be sure of a file. Both write a new file each time,
and remove the one before the last.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from guanyu_mpi.bench.checkpoint_report import (
    CheckpointPlan,
    CheckpointReport,
    Contender,
    Saved,
)
from guanyu_mpi.bench.machine import described
from guanyu_mpi.bench.timing import called, interleaved
from guanyu_mpi.checkpoint import Store
from guanyu_mpi.checkpoint.atomic import sync
from guanyu_mpi.checkpoint.writer import Writer
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.messages import Vector
from guanyu_mpi.seeds import stream

KEEP = 2
# Numbers that stay in a core's cache, and with which a thread does nothing but compute.
WORK = np.ones(4096, np.float32)
PACE_REPEATS = 7


def measure(plan: CheckpointPlan, say: Callable[[str], None]) -> CheckpointReport:
    """Everything the plan asks for; `say` hears what is measured next."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    machine = described(cores=len(os.sched_getaffinity(0)))
    results = []
    for dimension in plan.dimensions:
        say(f"{dimension:,} parameters")
        results.append(_saved(plan, dimension))
    return CheckpointReport(date, machine, plan.directory, tuple(results))


def _saved(plan: CheckpointPlan, dimension: int) -> Saved:
    params = stream(0, "bench", dimension).standard_normal(dimension, dtype=np.float32)
    with _scratch(plan.directory) as root, ThreadPoolExecutor(max_workers=1) as thread:
        store = Store(
            root, 0, Cluster(1, 0, 1, 1, 0, 1), dimension=dimension, identity="bench", keep=KEEP
        )
        steps = count(1)
        trials = {
            Contender.RAW: called(lambda: _write_raw(root, next(steps), params)),
            Contender.CHECKPOINT: called(lambda: store.write(next(steps), params)),
            Contender.STALL: _handing_over(thread, params),
        }
        seconds = interleaved(trials, plan.repeats, plan.budget_s)
        write = partial(_write_next, store, steps, params)
        repeats = min(plan.repeats, PACE_REPEATS)
        return Saved(dimension, seconds, tuple(_pace(thread, write) for _ in range(repeats)))


@contextmanager
def _scratch(directory: str) -> Iterator[Path]:
    """A folder on the disk that is measured, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="guanyu-bench-", dir=directory) as place:
        (Path(place) / "raw").mkdir()
        yield Path(place)


def _write_next(store: Store, steps: Iterator[int], params: Vector) -> None:
    store.write(next(steps), params)


def _write_raw(root: Path, step: int, params: Vector) -> None:
    folder = root / "raw"
    before = sorted(folder.iterdir())
    temporary = folder / "writing"
    with temporary.open("wb", buffering=0) as file:
        contents = params.data.cast("B")
        while contents:
            contents = contents[file.write(contents) :]
        os.fsync(file.fileno())
    temporary.replace(folder / f"step-{step:09d}")
    sync(folder)
    for old in before[: 1 - KEEP]:
        old.unlink()


class _Nobody:
    """Hears how writing goes, and does nothing about it."""

    def saved(self, step: int) -> None:
        """Nothing."""

    def not_saved(self, step: int, reason: str) -> None:
        """Nothing."""


def _handing_over(thread: ThreadPoolExecutor, params: Vector) -> Callable[[], Callable[[], None]]:
    """A trial of what the thread that trains does when a checkpoint is due."""

    def prepared() -> Callable[[], None]:
        writer = Writer(
            lambda *_: None, spawn=thread.submit, told=_Nobody(), clock_s=time.perf_counter
        )
        return lambda: writer.offer(1, params)

    return prepared


def _pace(thread: ThreadPoolExecutor, write: Callable[[], None]) -> float:
    """How fast this thread computes while another writes, of how fast it does alone."""
    alone = _computed_per_s(until=_after(0.05))
    writing = thread.submit(write)
    return _computed_per_s(until=writing.done) / alone


def _after(seconds: float) -> Callable[[], bool]:
    end_s = time.perf_counter() + seconds
    return lambda: time.perf_counter() >= end_s


def _computed_per_s(until: Callable[[], bool]) -> float:
    begun_s, times = time.perf_counter(), 0
    while True:
        np.add(WORK, WORK)
        times += 1
        if until():
            return times / (time.perf_counter() - begun_s)
