"""Runs the cells of an experiment, several at a time, each in a process of its own."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from guanyu_mpi.console import EXIT_LEFT
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.experiment.cells import Cell, Experiment
from guanyu_mpi.experiment.file import How
from guanyu_mpi.experiment.folder import Folder
from guanyu_mpi.experiment.hand import Hand
from guanyu_mpi.experiment.outcome import judged
from guanyu_mpi.experiment.record import Record
from guanyu_mpi.processes import ToldToLeave
from guanyu_mpi.run_dir import config_path

POLL_S = 0.05
# How long a cell may take to save and leave before it is killed.
LEAVE_S = 120.0


@dataclass(frozen=True, slots=True)
class Running:
    """A cell at work, by whom, and since when."""

    cell: Cell
    hand: Hand
    since_s: float


def loaded(experiment: Experiment) -> Sequence[str]:
    """The modules that every cell needs, to be loaded once."""
    if experiment.how is How.LAUNCH:
        return ("guanyu_mpi.cli", "guanyu_mpi.launch")
    trained = any(cell.config.data is not None for cell in experiment.cells)
    torch = ("guanyu_mpi.models.classification",) if trained else ()
    return ("guanyu_mpi.cli", "guanyu_mpi.simulation", "guanyu_mpi.summary", *torch)


def usual_jobs(experiment: Experiment) -> int:
    """How many cells at a time this machine's cores allow: a simulation computes on one."""
    cores = len(os.sched_getaffinity(0))
    if experiment.how is How.SIMULATE:
        return cores
    return max(1, cores // max(cell.config.nodes.num_ranks for cell in experiment.cells))


class Campaign:
    """The cells of an experiment at work; `report` is handed each record, or why there is none.

    A cell that cannot begin has none; one that a signal has cut short is not told of: the same
    command continues it. So it is with one that has saved and left by itself: `left` is its name,
    and no further cell is begun.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Folder,
        told: ToldToLeave,
        report: Callable[[Cell, Record | str], None],
    ) -> None:
        self._experiment = experiment
        self._folder = folder
        self._told = told
        self._report = report
        self._running: list[Running] = []
        self._idle: list[Hand] = []
        self.left: str | None = None

    def run(self, cells: Iterable[Cell], jobs: int) -> None:
        """Run cells, at most `jobs` at once, until all have ended or there is reason to leave."""
        waiting = deque(cells)
        with self._ended():
            while (waiting or self._running) and self._told.by is None:
                while waiting and len(self._running) < jobs:
                    self._begin(waiting.popleft())
                time.sleep(POLL_S)
                self._reap()
                # What has told one to leave, as a time limit that comes near, is there for all.
                if self.left is not None:
                    waiting.clear()

    def _begin(self, cell: Cell) -> None:
        # Another process may have done it since this one has looked for what there is to do.
        record = self._folder.record(cell.name, cell.digest)
        if record is not None and record.done:
            self._report(cell, record)
            return
        try:
            self._folder.prepare_cell(cell)
        except ConfigError as error:
            self._report(cell, str(error))
            return
        self._running.append(self._started(cell))

    def _started(self, cell: Cell) -> Running:
        log_path, run_dir = self._folder.log_path(cell.name), self._folder.run_dir(cell.name)
        log_path.parent.mkdir(exist_ok=True)
        hand = self._idle.pop() if self._idle else Hand(loaded(self._experiment))
        how, config = self._experiment.how.value, str(config_path(run_dir))
        hand.begin([how, config, "--run-dir", str(run_dir)], log_path)
        return Running(cell, hand, time.monotonic())

    def _reap(self) -> None:
        """Keep the results of those that have ended."""
        statuses = [(one, one.hand.exit_status()) for one in self._running]
        for one, status in statuses:
            if status is None:
                continue
            self._running.remove(one)
            if one.hand.lives:
                self._idle.append(one.hand)
            else:
                one.hand.wait(0.0)
            if status == EXIT_LEFT:
                self.left = one.cell.name
            # A terminal's Ctrl-C reaches cells as well: what they leave then is no result.
            elif self._told.by is None:
                self._report(one.cell, self._kept(one, status))

    def _kept(self, ended: Running, exit_status: int) -> Record:
        record = judged(
            self._experiment,
            ended.cell,
            self._folder,
            exit_status=exit_status,
            wall_s=time.monotonic() - ended.since_s,
        )
        self._folder.write(record)
        return record

    @contextmanager
    def _ended(self) -> Iterator[None]:
        """What still runs when this block is left is told to save and leave, and waited for."""
        try:
            yield
        finally:
            hands = [*(one.hand for one in self._running), *self._idle]
            for hand in hands:
                hand.tell()
            deadline_s = time.monotonic() + LEAVE_S
            for hand in hands:
                hand.wait(max(0.0, deadline_s - time.monotonic()))
