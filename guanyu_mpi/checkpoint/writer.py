"""One server's checkpoints, written beside its training: who offers one does not wait.

One is being written, and at most one waits. Where a disk is slower than checkpoints are due, some
are skipped, and servers that know nothing of each other must skip the same ones: a restart needs a
step that a quorum has. So of what comes while one waits, the rounder step stays (`roundness`), and
of equally round ones the newer. If writing takes no longer than 2^m intervals, every checkpoint
whose number is a multiple of 2^m is then begun before the next of these is due. So a kill costs
- less than one interval and one write, where a write takes less than an interval;
- less than four writes otherwise: 2^m intervals are less than two, and one waits and one is begun.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from guanyu_mpi.checkpoint.election import roundness
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.messages import Vector
from guanyu_mpi.spawn import Spawn


class Told(Protocol):
    """Who hears how writing goes."""

    def saved(self, step: int) -> None:
        """The checkpoint of a step is on the disk."""

    def not_saved(self, step: int, reason: str) -> None:
        """A checkpoint could not be written; the next ones may not be, either."""


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """Params (d,) to be saved; `at_any_rate` if nothing that comes later may replace them."""

    step: int
    params: Vector
    at_any_rate: bool

    def gives_way_to(self, later: "Due") -> bool:
        """Whether a later one is written instead, if this one is not begun yet."""
        if self.at_any_rate or later.at_any_rate:
            return later.at_any_rate
        return roundness(later.step) >= roundness(self.step)


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """What is being written, and what will come of it."""

    step: int
    future: "Future[object]"


class Writer:
    """Hands one checkpoint after the other to `write`, by `spawn`.

    All but `write`, and timing it, happens in the thread that calls. A fault is told when it
    begins, and not again until something has been saved.
    """

    def __init__(
        self,
        write: Callable[[int, Vector], object],
        *,
        spawn: Spawn,
        told: Told,
        clock_s: Callable[[], float],
    ) -> None:
        self.newest = 0  # the newest step that has been saved
        self.fault = ""  # why what came last could not be
        self.longest_s = 0.0  # how long saving has taken, at most
        self._write, self._spawn, self._told, self._clock_s = write, spawn, told, clock_s
        self._took_s = 0.0  # the write that ended last
        self._running: Running | None = None
        self._waiting: Due | None = None

    def offer(self, step: int, params: Vector, *, at_any_rate: bool = False) -> None:
        """Have params (d,) after `step` written, as soon as what is being written has been."""
        self.look()
        if self._running is not None and self._running.step == step:
            return
        due = Due(step, params, at_any_rate)
        if self._waiting is None or self._waiting.gives_way_to(due):
            # The caller may do with its params what it likes.
            self._waiting = Due(step, params.copy(), at_any_rate)
        self.look()

    def look(self) -> bool:
        """Tell how writing has ended, and begin with what waits; whether all is done."""
        while True:
            if self._running is not None:
                if not self._running.future.done():
                    return False
                self._end(self._running)
            if self._waiting is None:
                return True
            self._begin(self._waiting)

    def _begin(self, due: Due) -> None:
        self._waiting = None
        self._running = Running(due.step, self._spawn(partial(self._timed, due)))

    def _timed(self, due: Due) -> None:
        # Timed where it is written: nobody may look for as long as a step takes.
        begun_s = self._clock_s()
        try:
            self._write(due.step, due.params)
        finally:
            self._took_s = self._clock_s() - begun_s

    def _end(self, running: Running) -> None:
        self._running = None
        self.longest_s = max(self.longest_s, self._took_s)
        try:
            running.future.result()
        except CheckpointError as error:
            if not self.fault:
                self._told.not_saved(running.step, str(error))
            self.fault = str(error)
        else:
            self.newest, self.fault = running.step, ""
            self._told.saved(running.step)
