"""The figures of all rounds in Markdown, and whether they are as they should be."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loss_run import Measured

RATIO_MIN = 0.9
HEADINGS = (
    "workload",
    "fault-free, updates/s",
    "struck",
    "raw ratio",
    "those left alone",
    "ratio at equal work per core",
    "longest pause, s: fault-free, struck",
    "server's CPU ms per update: alone, struck",
    "worker's: alone, struck",
)
HOW = """\
Struck: one of 6 servers is killed (SIGKILL), and all f' workers that are tolerated are stopped
(SIGSTOP), each at a random step. Then updates per second are counted, by the servers' own clocks,
over the same steps of three runs in turn; all have quorums of the same size. Of each figure the
median of the rounds, and of the ratios in brackets the lowest and the highest.

- Raw: struck against fault-free. All ranks share the cores of one machine, and after the losses
  fewer ranks do: it is above 1 for that reason alone. Where gradients only wait, as if every rank
  had a core of its own, it is what it would be on a cluster.
- At equal work per core: struck against a cluster that never had more than those that are left.
  As many ranks share the cores, each does the same work for an update, and all of them are waited
  for in both: what is below 1 is the cost of the dead and of the stopped."""


@dataclass(frozen=True, slots=True)
class Round:
    """One run of each kind."""

    fault_free: Measured
    struck: Measured
    left_alone: Measured

    @property
    def raw(self) -> float:
        """Struck against fault-free."""
        return self.struck.updates_per_s / self.fault_free.updates_per_s

    @property
    def equal(self) -> float:
        """Struck against those alone who are left."""
        return self.struck.updates_per_s / self.left_alone.updates_per_s


def table(rounds: Mapping[str, Sequence[Round]]) -> Iterator[str]:
    """A line per workload, and how it was measured."""
    yield _line(HEADINGS)
    yield _line("---" for _ in HEADINGS)
    for workload, of in rounds.items():
        yield _line([workload, *_cells(of)])
    yield from ("", HOW)


def is_met(rounds: Sequence[Round]) -> bool:
    """Whether the median round kept the speed that it should."""
    return statistics.median(one.equal for one in rounds) >= RATIO_MIN


def _cells(rounds: Sequence[Round]) -> Iterator[str]:
    def median(figure: Callable[[Round], float]) -> float:
        return statistics.median(map(figure, rounds))

    def ratio(figure: Callable[[Round], float]) -> str:
        found = sorted(map(figure, rounds))
        return f"{median(figure):.2f} ({found[0]:.2f} to {found[-1]:.2f})"

    yield f"{median(lambda one: one.fault_free.updates_per_s):.3g}"
    yield f"{median(lambda one: one.struck.updates_per_s):.3g}"
    yield ratio(lambda one: one.raw)
    yield f"{median(lambda one: one.left_alone.updates_per_s):.3g}"
    yield ratio(lambda one: one.equal)
    pauses = (lambda one: one.fault_free.pause_s), (lambda one: one.struck.pause_s)
    servers = (lambda one: one.left_alone.server_cpu_s), (lambda one: one.struck.server_cpu_s)
    workers = (lambda one: one.left_alone.worker_cpu_s), (lambda one: one.struck.worker_cpu_s)
    yield ", ".join(f"{median(figure):.2f}" for figure in pauses)
    for figures in (servers, workers):
        yield ", ".join(f"{1e3 * median(figure):.1f}" for figure in figures)


def _line(cells: "Iterator[str] | Sequence[str]") -> str:
    return f"| {' | '.join(cells)} |"
