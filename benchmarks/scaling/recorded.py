"""What the cost model says of jobs that were measured and written down, without measuring again.

    python benchmarks/scaling/recorded.py benchmarks/scaling/scaling-*.md

The jobs of 7 and 25 ranks of each report tell what messages take; with these costs the model says
what all jobs of all reports take.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

# What a job measured is read as in the benchmark of losses.
sys.path.insert(0, str(Path(__file__).parents[1] / "losses"))

from calibration import MessageCosts, calibrated, modelled_s
from known_costs import Known
from scaling_plan import Job, jobs
from scaling_table import KNOWN, TOLERANCE, sizes

from guanyu_mpi.bench.markdown import markdown

Row = dict[str, str]
# Servers and workers, dimension and quorums, as they are told.
Key = tuple[str, str, str]

# Of the machine on which the reports were written.
CORES = 2


@dataclass(frozen=True, slots=True)
class Recorded:
    """A job of a report. What the observer did by itself is in none, and taken to be nothing."""

    job: Job
    known: Known
    measured_s: float
    cores_busy: float

    def off_by(self, costs: MessageCosts) -> float:
        """How much longer than measured the model says, with these costs."""
        return modelled_s(self.job, self.known, costs, CORES) / self.measured_s - 1


def main() -> None:
    arguments = _arguments()
    reports = [recorded(path.read_text(encoding="utf-8")) for path in arguments.reports]
    for path, report in zip(arguments.reports, reports, strict=True):
        costs = costs_of(report)
        print(f"\n{path.name}: {1e6 * costs.each_s:.0f} us, {1e9 * costs.byte_s:.2f} ns per byte")
    for path, report in zip(arguments.reports, reports, strict=True):
        print(f"\n## {path.name}, off by, with the costs of each report\n")
        print("\n".join(_lines(report, arguments.reports, [costs_of(each) for each in reports])))


def recorded(text: str) -> list[Recorded]:
    """The jobs of a report that measure.py has written."""
    measured, known = map(_by_job, _tables(text))
    return [_recorded(job, measured, known) for job in jobs()]


def costs_of(report: Sequence[Recorded]) -> MessageCosts:
    """What messages took in the jobs that the model may see."""
    seen = [
        (each.job, each.known, each.measured_s * each.cores_busy)
        for each in report
        if each.job.calibrates
    ]
    return calibrated(seen, CORES)


def _tables(text: str) -> Iterator[list[Row]]:
    """Its tables in Markdown, as rows by column."""
    for is_table, lines in groupby(text.splitlines(), lambda line: line.startswith("|")):
        if is_table:
            header, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
            yield [dict(zip(header, row, strict=True)) for row in rows]


def _by_job(table: list[Row]) -> dict[Key, Row]:
    return {(row["servers + workers"], row["d"], row["waits for"]): row for row in table}


def _recorded(job: Job, measured: dict[Key, Row], known: dict[Key, Row]) -> Recorded:
    size, _, dimension, quorums = sizes(job)
    of_job = size, dimension, quorums
    gradient, rule, median, estimates = (float(known[of_job][name]) / 1e3 for name in KNOWN[3:])
    row = measured[of_job]
    return Recorded(
        job,
        Known(gradient, rule, median, estimates, observation_s=0.0),
        float(row["measured ms"]) / 1e3,
        float(row["cores busy"]),
    )


def _lines(
    report: Sequence[Recorded], paths: Sequence[Path], costs: Sequence[MessageCosts]
) -> Iterator[str]:
    off_by = [[each.off_by(own) for own in costs] for each in report]
    rows = [
        [each.job.name, f"{1e3 * each.measured_s:.1f}", *(f"{off:+.0%}" for off in row)]
        for each, row in zip(report, off_by, strict=True)
    ]
    yield from markdown(("job", "measured ms", *(path.name for path in paths)), rows)
    unseen = [row for each, row in zip(report, off_by, strict=True) if not each.job.calibrates]
    for path, column in zip(paths, zip(*unseen, strict=True), strict=True):
        near = sum(abs(off) <= TOLERANCE for off in column)
        mean = sum(map(abs, column)) / len(column)
        yield f"- {path.name}: {near} of {len(column)} within {TOLERANCE:.0%}, mean {mean:.0%}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The cost model beside jobs that are recorded.")
    parser.add_argument("reports", type=Path, nargs="+", help="what measure.py has written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
