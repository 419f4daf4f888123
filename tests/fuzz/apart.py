"""Hunts in processes of their own: a library that crashes takes its process along, and not us."""

import faulthandler
import multiprocessing
import resource
import signal
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from fuzz_targets import Target, make
from hunt import FAILURES_MAX, Failure, Hunt, hunt

# A bomb is refused its memory, and is then seen as an error.
MEMORY_MAX = 6 << 30
# Files are written for every input: not to a disk, if that can be helped.
FAST = Path("/dev/shm")  # noqa: S108 - a place for what lasts no longer than a test

Choose = Callable[[Path], Target]


def hunt_apart(choose: str | Choose, runs: int, seed: int, batch: int = 1 << 30) -> Hunt:
    """Feed a target inputs 0 to runs - 1, in processes that get `batch` of them each."""
    total = Hunt(0, 0, 0.0, 0, ())
    while total.runs < runs and len(total.failures) < FAILURES_MAX:
        inputs = range(total.runs, min(total.runs + batch, runs))
        total = _sum(total, _one_process(choose, inputs, seed))
    return total


def _one_process(choose: str | Choose, inputs: range, seed: int) -> Hunt:
    context = multiprocessing.get_context("fork")
    index: Synchronized[int] = context.Value("q", inputs.start)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(choose, inputs, seed, index, theirs))
    with warnings.catch_warnings():
        # Python warns of forking where threads are; ours does nothing with what they may hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    try:
        found: Hunt = ours.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        ended = signal.Signals(-code).name if code < 0 else f"status {code}"
        failure = Failure(index.value, f"the process ended: {ended}")
        return Hunt(index.value + 1 - inputs.start, 0, 0.0, 0, (failure,))
    process.join()
    return found


def _child(
    choose: str | Choose,
    inputs: range,
    seed: int,
    index: "Synchronized[int]",
    result: Connection,
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # How it crashed is said by its exit code.
    faulthandler.disable()

    def before(at: int) -> None:
        index.value = at

    with tempfile.TemporaryDirectory(dir=FAST if FAST.is_dir() else None) as directory:
        root = Path(directory)
        target = make(choose, root) if isinstance(choose, str) else choose(root)
        result.send(hunt(target, inputs, seed, before))


def _sum(one: Hunt, other: Hunt) -> Hunt:
    return replace(
        one,
        runs=one.runs + other.runs,
        accepted=one.accepted + other.accepted,
        slowest_s=max(one.slowest_s, other.slowest_s),
        grown_bytes=max(one.grown_bytes, other.grown_bytes),
        failures=one.failures + other.failures,
    )
