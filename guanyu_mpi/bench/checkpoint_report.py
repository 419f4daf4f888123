"""What a benchmark of the checkpoints is asked, what it has measured, and both as JSON."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter

from guanyu_mpi.bench.markdown import about, markdown
from guanyu_mpi.bench.plan import TARGET_D
from guanyu_mpi.bench.report import Machine
from guanyu_mpi.errors import ConfigError

# 7 MB, the network of the GuanYu paper, and 400 MB.
DIMENSIONS = (TARGET_D, 100_000_000)
QUICK_DIMENSIONS = (20_000,)
# Of the bandwidth of raw bytes.
TARGET_SHARE = 0.8

HEADER = ("parameters", "MB", "raw GB/s", "checkpoint GB/s", "share", "stall ms", "pace", "target")


class Contender(StrEnum):
    """What is timed, in turns."""

    RAW = "raw"
    CHECKPOINT = "checkpoint"
    # What the thread that trains spends on handing over a checkpoint.
    STALL = "stall"


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """Which sizes are written, where, how often, and for how long at most."""

    dimensions: tuple[int, ...]
    directory: str
    repeats: int
    budget_s: float


@dataclass(frozen=True, slots=True)
class Saved:
    """What was measured with so many parameters: seconds by contender, in order.

    `pace` is how fast another thread computes while a checkpoint is written, of what it does
    otherwise: each time, of the two one after the other.
    """

    dimension: int
    seconds: dict[Contender, tuple[float, ...]]
    pace: tuple[float, ...]

    def gb_per_s(self, contender: Contender) -> float:
        """Bytes of parameters by the median of the times."""
        return 4e-9 * self.dimension / statistics.median(self.seconds[contender])

    @property
    def share(self) -> float:
        """Bandwidth of checkpoints, of that of raw bytes."""
        return self.gb_per_s(Contender.CHECKPOINT) / self.gb_per_s(Contender.RAW)


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """One benchmark of the checkpoints."""

    date: str
    machine: Machine
    directory: str
    results: tuple[Saved, ...]


def planned_checkpoints(
    dimensions: Sequence[int], directory: Path, *, quick: bool
) -> CheckpointPlan:
    """The plan that a command line asks for; without dimensions, the usual ones."""
    faults = [f"--dimension {d}: needs at least 1" for d in dimensions if d < 1]
    if not directory.is_dir():
        faults.append(f"--directory {directory}: there is no such folder")
    if faults:
        raise ConfigError(*faults)
    usual = QUICK_DIMENSIONS if quick else DIMENSIONS
    return CheckpointPlan(
        dimensions=tuple(sorted(set(dimensions or usual))),
        directory=str(directory.absolute()),
        repeats=1 if quick else 31,
        budget_s=0 if quick else 20,
    )


def lines(report: CheckpointReport) -> list[str]:
    """A report as lines that read well on a terminal and are Markdown."""
    return [
        f"# Checkpoints, {report.date}",
        "",
        *about(report.machine),
        f"- written into {report.directory}",
        "- medians, in turns; raw: the same bytes, write, fsync, rename, fsync of the directory",
        "- stall: what handing over a checkpoint costs the thread that trains; pace: how fast",
        "  another thread computes while one is written, of its usual pace",
        "",
        *markdown(HEADER, [_row(found) for found in report.results]),
    ]


def _row(found: Saved) -> list[str]:
    return [
        f"{found.dimension:,}",
        f"{4e-6 * found.dimension:.1f}",
        f"{found.gb_per_s(Contender.RAW):.2f}",
        f"{found.gb_per_s(Contender.CHECKPOINT):.2f}",
        f"{found.share:.2f}",
        f"{1e3 * statistics.median(found.seconds[Contender.STALL]):.2f}",
        f"{statistics.median(found.pace):.0%}",
        f">= {TARGET_SHARE} {'met' if found.share >= TARGET_SHARE else 'missed'}",
    ]


_PLAN = TypeAdapter(CheckpointPlan)
_REPORT = TypeAdapter(CheckpointReport)


def plan_to_json(plan: CheckpointPlan) -> str:
    """A plan as one argument of a command."""
    return _PLAN.dump_json(plan).decode()


def plan_from_json(text: str) -> CheckpointPlan:
    """The plan that `plan_to_json` wrote."""
    return _PLAN.validate_json(text)


def to_json(report: CheckpointReport) -> str:
    """A report as JSON."""
    return _REPORT.dump_json(report, indent=1).decode()


def from_json(text: str) -> CheckpointReport:
    """The report that `to_json` wrote."""
    return _REPORT.validate_json(text)
