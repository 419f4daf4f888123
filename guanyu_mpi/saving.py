"""What one server saves in this life of a run, and whether it is saved."""

from collections.abc import Callable
from dataclasses import replace

from guanyu_mpi.checkpoint import Notes, Store
from guanyu_mpi.checkpoint.writer import Told, Writer
from guanyu_mpi.config import Config
from guanyu_mpi.messages import Vector
from guanyu_mpi.protocol.effects import Commit, Halt, Outcome
from guanyu_mpi.schedules import Schedule
from guanyu_mpi.spawn import Spawn


class Saving:
    """One server's checkpoints; `spawn` is where they are written, and `life` whose trace is kept.

    The life has begun at the step `begun`.

    `commit` returns at once: what is due may be on its way when it does.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        rate: Schedule,
        life: int,
        begun: int,
        *,
        spawn: Spawn,
        told: Told,
        clock_s: Callable[[], float],
    ) -> None:
        self._config = config
        self._store = store
        self._rate = rate
        self._life = life
        self._begun = begun
        self._writer = Writer(self._write, spawn=spawn, told=told, clock_s=clock_s)
        self._clock_s = clock_s
        # The newest that followed from the others' updates; what a server goes on with alone until
        # the next such step is nobody else's.
        self._agreed: Commit | None = None

    @property
    def longest_s(self) -> float:
        """How long saving has taken, at most."""
        return self._writer.longest_s

    def commit(self, commit: Commit) -> None:
        """Have a step saved if it is due; the last one is the run's result."""
        if self._config.contractions.at(commit.step - 1):
            self._agreed = commit
        if commit.step == self._config.run.steps:
            self._writer.offer(commit.step, commit.params, at_any_rate=True)
        elif commit.step % self._config.checkpoint.every == 0:
            self._writer.offer(commit.step, commit.params)
        else:
            self._writer.look()

    def conclude(self, halt: Halt, serve: Callable[[], None], timeout_s: float) -> Halt:
        """How the server's part has ended, once what it is to save is saved or cannot be.

        Meanwhile `serve` is called again and again. Who leaves before the last step saves the
        newest step that servers agree on, due or not. Who has not saved its result has failed.
        """
        deadline_s = self._clock_s() + timeout_s
        self._writer.look()
        if halt.outcome is Outcome.LEFT:
            halt = replace(halt, step=self._saved_to_leave())
        while not self._writer.look() and self._clock_s() < deadline_s:
            serve()
        claims_it_is_saved = halt.outcome in (Outcome.FINISHED, Outcome.LEFT)
        fault = self.fault() if claims_it_is_saved else ""
        return Halt(Outcome.FAILED, halt.step, fault) if fault else halt

    def _saved_to_leave(self) -> int:
        """The step at which it leaves; it is being saved from now on, if it is not there."""
        newest = self._agreed
        if newest is None:
            # What it began with is there.
            return self._begun
        if newest.step != self._writer.newest:
            self._writer.offer(newest.step, newest.params, at_any_rate=True)
        return newest.step

    def fault(self) -> str:
        """Why the newest step, which was to be saved, is not; empty if it is."""
        newest, saved = self._agreed, self._writer.newest
        if newest is None or newest.step == saved:
            return ""
        reason = self._writer.fault or "it is still being written"
        last = f"step {saved} is" if saved else "nothing of this life is"
        return f"step {newest.step} is not saved, {last}: {reason}"

    def _write(self, step: int, params: Vector) -> None:
        train = self._config.train
        notes = Notes(self._config.run.seed, train.schedule, self._rate(step), self._life)
        self._store.write(step, params, notes)
