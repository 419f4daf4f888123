"""The matrices of an experiment: its first two axes, for each combination of the others."""

from collections.abc import Iterator, Mapping

from guanyu_mpi.report.matrix import ATTACK, Entry, Matrix
from guanyu_mpi.report.study import Study, combinations


def matrices(study: Study) -> Iterator[tuple[dict[str, str], Matrix]]:
    """Each matrix, and where it is along the other axes; at least one."""
    rows, columns, *others = (*study.axes, "", "")[: max(2, len(study.axes))]
    accurate = any(record.accuracy is not None for record in study.records.values())
    for values in combinations({axis: study.outline.axes[axis] for axis in others if axis}):
        yield values, _matrix(study, rows, columns, values, accurate=accurate)


def named(values: Mapping[str, str]) -> str:
    """A place along axes, in words."""
    return ", ".join(f"{axis} {value}" for axis, value in values.items())


def _matrix(
    study: Study, rows: str, columns: str, values: Mapping[str, str], *, accurate: bool
) -> Matrix:
    across = study.outline.axes[columns] if columns else ("",)
    chosen = [
        [{**values, rows: row, **({columns: column} if columns else {})} for column in across]
        for row in study.outline.axes[rows]
    ]
    return Matrix(
        row_axis=rows,
        column_axis=columns,
        rows=study.outline.axes[rows],
        columns=across if columns else ("accuracy" if accurate else "loss",),
        entries=tuple(tuple(_entry(study, at) for at in row) for row in chosen),
        accurate=accurate,
        worst_in_rows=bool(columns) and rows != ATTACK,
    )


def _entry(study: Study, values: Mapping[str, str]) -> Entry:
    cells = study.cells(values)
    return Entry(tuple(study.records[at] for at in cells if at in study.records), len(cells))
