"""Feeds a target many inputs and watches what it does: errors, time, memory."""

import gc
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuzz_targets import Target
from mutations import mutation

# An input that takes so long is a hang: honest ones take a few milliseconds.
HANG_S = 20
# Caches and allocators have filled by then; from there on memory must stay where it is.
SETTLED = 0.3
FAILURES_MAX = 5
PAGE_BYTES = 4096


class Hang(BaseException):
    """No Exception: readers turn any of these into an error of their own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An input, by its index, and what it made the target do."""

    index: int
    error: str


@dataclass(frozen=True, slots=True)
class Hunt:
    """How a target has dealt with its inputs; `grown_bytes` of resident memory once settled."""

    runs: int
    accepted: int
    slowest_s: float
    grown_bytes: int
    failures: tuple[Failure, ...]


def hunt(
    target: Target, inputs: range, seed: int, before: Callable[[int], None] = lambda _: None
) -> Hunt:
    """Feed the inputs of these indices; `before` is told each, in case it is the last."""
    accepted, slowest_s, settled_bytes, runs = 0, 0.0, resident_bytes(), 0
    failures: list[Failure] = []
    settled_at = inputs.start + int(SETTLED * len(inputs))
    with _watched() as warned:
        for index in inputs:
            if index == settled_at:
                settled_bytes = resident_bytes()
            raw = mutation(seed, index, target.corpus, target.words)
            before(index)
            signal.setitimer(signal.ITIMER_REAL, HANG_S)
            started_s = time.perf_counter()
            try:
                accepted += target.feed(raw)
                # Not raised as errors: a reader would turn them into its own as well.
                if warned:
                    raise warned[0].message
            # Whatever it is, it is no documented error: those the target has dealt with.
            except (Exception, Hang) as error:
                warned.clear()
                failures.append(Failure(index, f"{type(error).__name__}: {error}"[:300]))
            slowest_s = max(slowest_s, time.perf_counter() - started_s)
            signal.setitimer(signal.ITIMER_REAL, 0)
            runs += 1
            if len(failures) == FAILURES_MAX:
                break
    return Hunt(runs, accepted, slowest_s, resident_bytes() - settled_bytes, tuple(failures))


def resident_bytes() -> int:
    """Resident memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@contextmanager
def _watched() -> Iterator[list[warnings.WarningMessage]]:
    """Every warning is noted, and what never ends is interrupted."""

    def hang(*_: object) -> None:
        raise Hang(f"still running after {HANG_S} s")

    before = signal.signal(signal.SIGALRM, hang)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            yield warned
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
