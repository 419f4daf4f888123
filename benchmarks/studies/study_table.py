"""The matrices of an experiment in Markdown: benchmarks/studies/study_table.py RUN_DIR.

Final accuracies, the mean over the seeds in hundredths, attacks downwards; * beside the worst of
each rule, x where a run of any seed diverged. Then which attacks each rule withstands.
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

from guanyu_mpi.bench.markdown import markdown
from guanyu_mpi.report.matrices import matrices, named
from guanyu_mpi.report.matrix import Entry, Matrix
from guanyu_mpi.report.study import read_study
from guanyu_mpi.report.verdict import WITHSTOOD, verdicts


def told(entry: Entry, *, worst: bool) -> str:
    """One entry."""
    figures = entry.figures(accurate=True)
    if entry.diverged:
        return "x*" if worst else "x"
    if not figures:
        return "-"
    return f"{math.fsum(figures) / len(figures):.2f}".removeprefix("0") + "*" * worst


def tables(path: Path) -> Iterator[str]:
    """All lines."""
    study = read_study(path)
    for values, matrix in matrices(study):
        yield from [f"## {named(values)}", ""] if values else []
        yield from _table(matrix)
        found = [f"- {verdict}" for verdict in verdicts(matrix)]
        yield from ["", WITHSTOOD, "", *found] if found else []
        yield ""


def _table(matrix: Matrix) -> list[str]:
    if not matrix.column_axis:
        alone = [told(row[0], worst=False) for row in matrix.entries]
        pairs = list(map(list, zip(matrix.rows, alone, strict=True)))
        return markdown([matrix.row_axis, "accuracy"], pairs)
    worst = matrix.worst_cases() if matrix.worst_in_rows else [None] * len(matrix.rows)
    columns = zip(*matrix.entries, strict=True)
    rows = [
        [name, *(told(at, worst=at is least) for at, least in zip(entries, worst, strict=True))]
        for name, entries in zip(matrix.columns, columns, strict=True)
    ]
    return markdown([f"{matrix.column_axis} \\ {matrix.row_axis}", *matrix.rows], rows)


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    print("\n".join(tables(parser.parse_args().run_dir)))


if __name__ == "__main__":
    main()
