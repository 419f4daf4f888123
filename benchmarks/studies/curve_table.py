"""Runs of an experiment beside each other in Markdown: benchmarks/studies/curve_table.py RUN_DIR.

Of each its accuracy after so many updates, what its honest servers were apart in the largest
coordinate, and whether along one line (guanyu_mpi/drift.py): medians of all looks but the first,
at which all servers are where they began; in brackets of how many looks.
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from guanyu_mpi.bench.markdown import markdown
from guanyu_mpi.report.history import History
from guanyu_mpi.report.study import Study, read_study

COLUMNS = 5
UNKNOWN = "-"


def rows(study: Study) -> Iterator[list[str]]:
    """A line for each combination of names along the axes."""
    (axis,) = study.axes
    for name in study.outline.axes[axis]:
        found = study.histories({axis: name})
        record = study.records.get(study.cells({axis: name})[0])
        ended = record.status.value if record else "to do"
        yield [name, ended, *(_row(found[0]) if found else [UNKNOWN] * (COLUMNS + 2))]


def _row(seen: History) -> Iterator[str]:
    last = seen.looks[-1].step
    for part in range(1, COLUMNS + 1):
        # A run that has ended early has come as far as it has.
        at = min(seen.looks, key=lambda look: abs(look.step - part * last / COLUMNS))
        yield f"{at.accuracy:.3f} ({at.step})"
    yield _middle([look.drift for look in seen.looks[1:]], "{:.2g}")
    yield _middle([look.alignment for look in seen.looks[1:]], "{:.2f}")


def _middle(figures: list[float], form: str) -> str:
    known = [figure for figure in figures if math.isfinite(figure)]
    return f"{form.format(median(known))} ({len(known)})" if known else UNKNOWN


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    study = read_study(parser.parse_args().run_dir)
    accuracies = ["accuracy (updates)", *[""] * (COLUMNS - 1)]
    print("\n".join(markdown(["", "ended", *accuracies, "apart", "alignment"], list(rows(study)))))


if __name__ == "__main__":
    main()
