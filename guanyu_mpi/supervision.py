"""Decides how long a job may go on, from what its ranks have written into the run's directory.

The ranks end themselves when they wait in vain, also where nobody supervises them. This is for
what they cannot do: make a launcher end that waits for a rank that hangs, and ask those who are
silent what they do.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

from guanyu_mpi.cluster import OBSERVER, Role
from guanyu_mpi.config import Config
from guanyu_mpi.done import Done, has_finished, is_leaving, is_lost, left_at, read_done
from guanyu_mpi.stall import Awake, Standstill
from guanyu_mpi.state import SAVES, listed, read_states, stack_path

# Once enough servers have finished, how long the rest may take before they are ended: a hung
# rank would keep mpirun waiting for ever. Longer than a rank lingers for its slow peers. Only the
# observer may take as long as a step.
GRACE_S = 20.0
# Once the ranks have been told to leave, how long they may take to agree on a step and save. Where
# that is in time but for disks, it may take as long as a rank waits for its own.
LEAVE_S = 60.0
# Once the job can no longer finish, how long the ranks may take to say what they know.
LAST_WORDS_S = 5.0
# Reading what all ranks do takes longer than looking who has ended.
LOOK_EVERY_S = 1.0


class Supervision:
    """Follows one job; `ask` makes every rank that can write its state and its stacks."""

    def __init__(
        self,
        config: Config,
        run_dir: Path,
        ask: Callable[[], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = config.nodes
        self._steps = config.run.steps
        self._run_dir = run_dir
        self._ask = ask
        self._clock_s = Awake(clock_s)
        self._standstill = Standstill(
            self._cluster,
            start_timeout_s=config.run.start_timeout_s,
            stall_timeout_s=config.run.stall_timeout_s,
            clock_s=self._clock_s,
        )
        self._look_s = 0.0
        self._deadline_s: float | None = None
        # How long the last evaluation of a finished run may take, or saving; and until when.
        self._patience_s = config.run.stall_timeout_s
        self._evaluate_by_s = 0.0
        self._told_s = self._leave_by_s = math.inf
        # Whether it was told to leave before any rank took part.
        self.dismissed = False
        self._reason = ""
        self._before: dict[int, tuple[int, int]] = {}

    def look(self) -> bool:
        """Whether the job may go on; to be asked several times a second."""
        now_s = self._clock_s()
        if self._deadline_s is None:
            self._decide(now_s)
        return self._deadline_s is None or now_s < self._deadline_s or self._evaluates(now_s)

    def leave(self, pass_on: Callable[[], None]) -> None:
        """Have the ranks save and leave; before they take part there is nothing to save."""
        if self._leaves or self._deadline_s is not None:
            return
        if read_states(self._run_dir, self._cluster):
            pass_on()
            self._expect_to_leave(self._clock_s())
        else:
            self.dismissed = True
            self._deadline_s = self._clock_s()

    def remarks(self) -> tuple[str, ...]:
        """Why the job is to end before its time, if it is, and what those do who go on."""
        if not self._reason:
            return ()
        ended = {record.rank for record in read_done(self._run_dir, self._cluster)}
        states = {state.rank: state for state in read_states(self._run_dir, self._cluster)}
        lines = [f"ended: {self._reason}"]
        silent = []
        for rank, (answers, size_bytes) in self._heard().items():
            answers_before, size_before = self._before[rank]
            if rank in ended:
                continue
            if answers > answers_before:
                lines.append(str(states[rank]))
            elif size_bytes > size_before:
                where = stack_path(self._run_dir, rank).relative_to(self._run_dir)
                lines.append(f"{self._cluster.node(rank)} hangs or computes: see {where}")
            else:
                silent.append(str(self._cluster.node(rank)))
        return (*lines, f"no sign of life: {listed(silent)}") if silent else tuple(lines)

    def _decide(self, now_s: float) -> None:
        done = read_done(self._run_dir, self._cluster)
        finished = has_finished(done, self._cluster, self._steps)
        if finished or left_at(done, self._cluster) is not None:
            self._deadline_s = now_s + GRACE_S
            self._evaluate_by_s = now_s + self._patience_s if finished else 0.0
        elif self._leaves:
            if now_s >= self._leave_by_s:
                self._end_unless_saving(now_s, done)
        elif is_leaving(done, self._cluster, self._steps):
            self._expect_to_leave(now_s)
        elif is_lost(done, self._cluster, self._steps):
            self._end(now_s, "too few servers are left for a quorum")
        elif now_s >= self._look_s:
            self._look_s = now_s + LOOK_EVERY_S
            reason = self._standstill.look(read_states(self._run_dir, self._cluster), done)
            if reason:
                self._end(now_s, reason)

    @property
    def _leaves(self) -> bool:
        return self._told_s < math.inf

    def _expect_to_leave(self, now_s: float) -> None:
        self._told_s, self._leave_by_s = now_s, now_s + LEAVE_S

    def _end_unless_saving(self, now_s: float, done: list[Done]) -> None:
        """End a job that was told to leave; not while all that a quorum waits for are disks."""
        states = read_states(self._run_dir, self._cluster)
        ranks = {state.rank for state in states if state.doing == SAVES}
        ranks |= {record.rank for record in done if record.left or record.finished}
        servers = sum(self._cluster.node(rank).role is Role.SERVER for rank in ranks)
        enough = servers >= self._cluster.server_quorum
        if enough and now_s < self._told_s + LEAVE_S + self._patience_s:
            self._leave_by_s = now_s + LOOK_EVERY_S
        else:
            self._end(now_s, f"told to leave, and still there after {now_s - self._told_s:.0f} s")

    def _evaluates(self, now_s: float) -> bool:
        """Whether the observer is not done with the last step; a large model takes a while."""
        if now_s >= self._evaluate_by_s:
            return False
        observer = self._cluster.rank(OBSERVER)
        return all(record.rank != observer for record in read_done(self._run_dir, self._cluster))

    def _end(self, now_s: float, reason: str) -> None:
        self._reason = reason
        self._before = self._heard()
        self._ask()
        self._deadline_s = now_s + LAST_WORDS_S

    def _heard(self) -> dict[int, tuple[int, int]]:
        """Of every rank, how often it has answered, and how many bytes of stacks there are."""
        states = read_states(self._run_dir, self._cluster)
        answers = {state.rank: state.answers for state in states}
        return {
            rank: (answers.get(rank, 0), _size_bytes(stack_path(self._run_dir, rank)))
            for rank in range(self._cluster.num_ranks)
        }


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
