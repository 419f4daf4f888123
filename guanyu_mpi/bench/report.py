"""What a benchmark of the rules has measured, as records that are also its JSON file."""

import statistics
from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter


class Contender(StrEnum):
    """Who is timed, or what: everybody works on the same vectors, in turns."""

    # One pass over a buffer that no cache holds: what the memory allows.
    READ = "read"
    TORCH = "torch"
    BYZFL = "byzfl"
    # Our rules with the kernels in use: all vectors at once, and what is left to do when the last
    # of them arrives.
    ONE_SHOT = "one-shot"
    LAST_ARRIVAL = "last arrival"
    # Our rules at once with numpy's kernels, where others are in use.
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a contender's calls on vectors (n, d), in the order in which they were made."""

    # The rule, or the function of torch that it is compared with.
    name: str
    contender: Contender
    n: int
    d: int
    seconds: tuple[float, ...]
    # How many Byzantine vectors the rule was told to tolerate, if it is a rule.
    f: int | None = None

    @property
    def median_s(self) -> float:
        """The time that is reported."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    processor: str
    cores: int
    memory_bytes: int
    # Processes that wanted to run when the benchmark began, on average over a minute.
    load: float
    # What has an influence on speed, by name.
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark of the rules."""

    date: str
    machine: Machine
    # The kernels in use: "numpy" where there are no compiled ones.
    kernels: str
    buffer_bytes: int
    timings: tuple[Timing, ...]
    # What could not be measured and why, a sentence each.
    left_out: tuple[str, ...]
    # Worst relative error of squared distances, and seconds of MDA's searches, if measured.
    distance_error: float | None
    search_s: tuple[float, ...]
    # How a configuration binds its rule, in words, if one was asked about.
    binding: str = ""

    def timing(self, name: str, contender: Contender, n: int, d: int) -> Timing | None:
        """What was measured of a rule or function, if it was."""
        wanted = (name, contender, n, d)
        return next((t for t in self.timings if (t.name, t.contender, t.n, t.d) == wanted), None)

    def median_s(self, name: str, contender: Contender, n: int, d: int) -> float | None:
        """Its median time, if it was measured."""
        timing = self.timing(name, contender, n, d)
        return None if timing is None else timing.median_s

    def read_share(self, seconds: float, n: int, d: int) -> float | None:
        """What reading n d float32 once in that time is of what the memory allows."""
        read_s = self.median_s("read", Contender.READ, n, d)
        return None if read_s is None else (4 * n * d / seconds) / (self.buffer_bytes / read_s)


_ADAPTER = TypeAdapter(Report)


def to_json(report: Report) -> str:
    """A report as JSON."""
    return _ADAPTER.dump_json(report, indent=1).decode()


def from_json(text: str) -> Report:
    """The report that `to_json` wrote."""
    return _ADAPTER.validate_json(text)
