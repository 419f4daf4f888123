"""What a benchmark of the transport is asked, what it has measured, and both as JSON."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter

from guanyu_mpi.bench.markdown import about, markdown
from guanyu_mpi.bench.report import Machine
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.transport.wire import FRAME_BYTES_MAX, Element, frame_bytes

# The mlp, the network of the GuanYu paper, and one of 25 million parameters.
TARGET_BYTES = 7_000_000
SIZES = (100_000, TARGET_BYTES, 100_000_000)
QUICK_SIZES = (4_000, 100_000)
# Of the bandwidth of MPI alone.
TARGET_SHARE = 0.9
NUMBER_BYTES = 4

HEADER = (
    "bytes",
    "raw ms",
    "ours ms",
    "awake ms",
    "raw GB/s",
    "ours GB/s",
    "share",
    "awake share",
)
HOW = (
    "- two ranks, in turns; half of the time there and back, in the median",
    "- raw: Isend and Irecv of buffers that are there; ours: a message as ranks send it,",
    "  made, found, received and checked; awake: the same by ranks that do not sleep",
)


class Contender(StrEnum):
    """Who takes a vector there and back, in turns."""

    # Isend and Irecv of buffers that are there, and waiting for them.
    RAW = "raw"
    # What ranks do: frames are made, found, received and checked, and who waits sleeps.
    OURS = "ours"
    # The same, without sleeping.
    AWAKE = "awake"


@dataclass(frozen=True, slots=True)
class TransportPlan:
    """Vectors of which sizes are sent, and how often; and what their numbers are on the wire."""

    sizes: tuple[int, ...]
    repeats: int
    element: Element = Element.FLOAT32


@dataclass(frozen=True, slots=True)
class Sent:
    """Seconds of one way, by contender, of vectors of one size."""

    size_bytes: int
    seconds: dict[Contender, tuple[float, ...]]

    def median_s(self, contender: Contender) -> float:
        """The time that is reported."""
        return statistics.median(self.seconds[contender])

    def share(self, contender: Contender) -> float:
        """Bandwidth of a contender, of that of MPI alone."""
        return self.median_s(Contender.RAW) / self.median_s(contender)


@dataclass(frozen=True, slots=True)
class TransportReport:
    """One benchmark of the transport."""

    date: str
    machine: Machine
    library: str
    results: tuple[Sent, ...]
    element: Element = Element.FLOAT32

    def share(self, size_bytes: int) -> float | None:
        """Bandwidth of messages of a size, of that of MPI alone; None if it was not measured."""
        found = (sent for sent in self.results if sent.size_bytes == size_bytes)
        return next((sent.share(Contender.OURS) for sent in found), None)


def planned_transport(sizes: Sequence[int], *, quick: bool) -> TransportPlan:
    """The plan that a command line asks for; without sizes, the usual ones."""
    faults = [
        f"--size {size}: needs a multiple of {NUMBER_BYTES} from {NUMBER_BYTES} "
        f"to {FRAME_BYTES_MAX - frame_bytes(0)}"
        for size in sizes
        if not 0 < size <= FRAME_BYTES_MAX - frame_bytes(0) or size % NUMBER_BYTES
    ]
    if faults:
        raise ConfigError(*faults)
    usual = QUICK_SIZES if quick else SIZES
    return TransportPlan(tuple(sorted(set(sizes or usual))), repeats=2 if quick else 31)


def lines(report: TransportReport) -> list[str]:
    """A report as lines that read well on a terminal and are Markdown."""
    return [
        f"# Transport, {report.date}",
        "",
        *about(report.machine),
        f"- {report.library}",
        f"- vectors of {report.element.name.lower()}",
        *HOW,
        "",
        *table(report),
        "",
        *(_judged(found) for found in report.results if found.size_bytes == TARGET_BYTES),
    ]


def table(report: TransportReport) -> list[str]:
    """What was measured of every size."""
    return markdown(HEADER, [_row(found) for found in report.results])


def _row(found: Sent) -> list[str]:
    times_ms = [f"{1e3 * found.median_s(contender):.3f}" for contender in Contender]
    speeds = [
        f"{1e-9 * found.size_bytes / found.median_s(contender):.2f}"
        for contender in (Contender.RAW, Contender.OURS)
    ]
    shares = [f"{found.share(contender):.2f}" for contender in (Contender.OURS, Contender.AWAKE)]
    return [f"{found.size_bytes:,}", *times_ms, *speeds, *shares]


def _judged(found: Sent) -> str:
    share = found.share(Contender.OURS)
    return (
        f"target at {found.size_bytes:,} bytes: share >= {TARGET_SHARE}; measured {share:.2f}: "
        f"{'met' if share >= TARGET_SHARE else 'missed'}"
    )


_PLAN = TypeAdapter(TransportPlan)
_REPORT = TypeAdapter(TransportReport)


def plan_to_json(plan: TransportPlan) -> str:
    """A plan as one argument of a command."""
    return _PLAN.dump_json(plan).decode()


def plan_from_json(text: str) -> TransportPlan:
    """The plan that `plan_to_json` wrote."""
    return _PLAN.validate_json(text)


def to_json(report: TransportReport) -> str:
    """A report as JSON."""
    return _REPORT.dump_json(report, indent=1).decode()


def from_json(text: str) -> TransportReport:
    """The report that `to_json` wrote."""
    return _REPORT.validate_json(text)
