"""What a benchmark of a step has measured, as records that are also its JSON file."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from pydantic import TypeAdapter

from guanyu_mpi.account import Activity
from guanyu_mpi.bench.report import Machine
from guanyu_mpi.bench.step_plan import Contender, StepPlan
from guanyu_mpi.bench.transport_report import TransportReport
from guanyu_mpi.cluster import Role

Key = TypeVar("Key")

# Who is slow is told of apart from the other workers.
SLOW_WORKER = "slow worker"


class State(StrEnum):
    """What a rank's thread is in at any time."""

    # It has a core.
    RUNNING = "running"
    # Asleep while a message is arriving, and while none is.
    WAIT = "wait"
    IDLE = "idle"
    # Awake, and without a core; or it waits for another thread, or the disk.
    HELD_UP = "held up"


@dataclass(frozen=True, slots=True)
class Part:
    """What the ranks of a role have used: shares of their time; and all together for an update.

    `spent_s` is time by activity, `worked_s` work, of which other threads than a rank's first do
    none; `cpu_s` is all work; `peak_bytes` is the most memory that one of them has had. DDP tells
    less.
    """

    shares: dict[State, float]
    worked_s: dict[Activity, float]
    cpu_s: float
    sent_bytes: float | None
    peak_bytes: int
    spent_s: dict[Activity, float] = field(default_factory=dict)

    @property
    def pace(self) -> float | None:
        """How long a second of work on gradients takes, if that is known."""
        spent_s, worked_s = (of.get(Activity.COMPUTE) for of in (self.spent_s, self.worked_s))
        return spent_s / worked_s if spent_s and worked_s else None


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of processes of DDP when one of them was killed, within so many seconds."""

    others: int
    failed: int
    finished: int
    waited_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: `start_s` from its beginning to its first gradient; the rest is of later steps."""

    contender: Contender
    batch_size: int
    updates_per_s: float
    start_s: float
    parts: dict[str, Part]

    @property
    def cpu_s(self) -> float:
        """Work of all ranks for an update."""
        return sum(part.cpu_s for part in self.parts.values())

    @property
    def slow_times(self) -> float | None:
        """How many times as long as the others the slow take for as much work on gradients."""
        slow, others = (self.parts.get(name) for name in (SLOW_WORKER, Role.WORKER.value))
        if not (slow and others and slow.pace and others.pace):
            return None
        return slow.pace / others.pace

    @property
    def slow_cores(self) -> float | None:
        """How many cores the slow keep busy all the same, if there are any slow."""
        slow = self.parts.get(SLOW_WORKER)
        return slow.cpu_s * self.updates_per_s if slow else None

    @property
    def sent_bytes(self) -> float | None:
        """What goes over all links for an update, if that is known."""
        sent = [part.sent_bytes for part in self.parts.values() if part.sent_bytes is not None]
        return sum(sent) if sent else None


@dataclass(frozen=True, slots=True)
class StepReport:
    """One benchmark of a step.

    `least_bytes` are those of an update in which every message is sent once; `torch_bytes` what a
    process takes that has done nothing but import torch, `alone_bytes` one that trains by torch
    with nobody else, by batch size; `first_start_s` what an earlier report says of the start;
    `loss` is of a process of DDP; `messages` are beside MPI alone, between two ranks.
    """

    date: str
    machine: Machine
    plan: StepPlan
    dimension: int
    least_bytes: dict[Contender, int]
    torch_bytes: int | None
    first_start_s: float | None
    results: tuple[Measured, ...]
    loss: Loss | None = None
    alone_bytes: dict[int, int] = field(default_factory=dict)
    messages: TransportReport | None = None

    def median(
        self, figure: Callable[[Measured], float | None], contender: Contender, batch_size: int
    ) -> float | None:
        """A figure of a contender over all rounds, if it was measured."""
        wanted = (contender, batch_size)
        runs = [run for run in self.results if (run.contender, run.batch_size) == wanted]
        found = [value for run in runs if (value := figure(run)) is not None]
        return statistics.median(found) if found else None

    def updates_per_s(self, contender: Contender, batch_size: int) -> float | None:
        """How fast a contender is."""
        return self.median(lambda run: run.updates_per_s, contender, batch_size)

    def part(self, contender: Contender, batch_size: int, role: str) -> Part | None:
        """What the ranks of a role have used, figure by figure over all rounds."""
        found = [
            run.parts[role]
            for run in self.results
            if (run.contender, run.batch_size) == (contender, batch_size) and role in run.parts
        ]
        if not found:
            return None
        sent = [part.sent_bytes for part in found if part.sent_bytes is not None]
        return Part(
            shares=_medians([part.shares for part in found]),
            worked_s=_medians([part.worked_s for part in found]),
            cpu_s=statistics.median(part.cpu_s for part in found),
            sent_bytes=statistics.median(sent) if sent else None,
            peak_bytes=max(part.peak_bytes for part in found),
            spent_s=_medians([part.spent_s for part in found]),
        )

    def speed(self, contender: Contender, other: Contender, batch_size: int) -> float | None:
        """How many times as fast as another it is."""
        mine, theirs = (self.updates_per_s(each, batch_size) for each in (contender, other))
        return None if mine is None or theirs is None else mine / theirs

    @property
    def start_s(self) -> float | None:
        """How long GuanYu takes to its first gradient."""
        found = [run.start_s for run in self.results if run.contender is Contender.GUANYU]
        return statistics.median(found) if found else None


def _medians(found: Sequence[dict[Key, float]]) -> dict[Key, float]:
    """Medians, key by key."""
    return {key: statistics.median(each[key] for each in found) for key in found[0]}


_ADAPTER = TypeAdapter(StepReport)


def to_json(report: StepReport) -> str:
    """A report as JSON."""
    return _ADAPTER.dump_json(report, indent=1).decode()


def from_json(text: str) -> StepReport:
    """The report that `to_json` wrote; raises ValueError."""
    return _ADAPTER.validate_json(text)
