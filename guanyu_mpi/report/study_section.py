"""What the page says of one experiment."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from guanyu_mpi.experiment import Record, Status
from guanyu_mpi.report.blocks import Fact, facts, folded, grid, listed, section, table
from guanyu_mpi.report.history import History
from guanyu_mpi.report.lines import Chart, figure
from guanyu_mpi.report.markup import Markup, element, paragraph, text
from guanyu_mpi.report.matrices import matrices, named
from guanyu_mpi.report.matrix import Matrix
from guanyu_mpi.report.matrix import table as matrix_table
from guanyu_mpi.report.numerals import duration, number, whole
from guanyu_mpi.report.overlay import ACCURACY, LOSS, chart, charts, drifts, told_apart
from guanyu_mpi.report.study import REPEATED, Study, combinations
from guanyu_mpi.report.verdict import WITHSTOOD, verdicts

# So many lines can be told apart; of more, each row of the matrix gets a chart of its own.
LINES_MAX = 8
# Of more faults of a kind, only so many are named.
FAULTS_MAX = 10


def study_section(study: Study) -> Markup:
    """An experiment: how far it is, its matrix, its curves, and every cell."""
    return section(
        study.outline.name,
        study.outline.about or "An experiment.",
        facts(_facts(study)),
        _faults(study),
        *_matrices(study),
        _curves(study),
        folded("Every cell", table(*_cells(study), numeric_from=2)),
    )


def _facts(study: Study) -> Iterator[Fact]:
    states = Counter(record.status for record in study.records.values())
    number_of = len(study.outline.cells)
    yield "cells done", whole(sum(r.done for r in study.records.values())), f"of {number_of}"
    if states[Status.DIVERGED]:
        yield "diverged", whole(states[Status.DIVERGED]), "not finite, so stopped"
    if states[Status.FAILED]:
        yield "failed", whole(states[Status.FAILED]), "the same command tries again"
    waiting = number_of - len(study.records)
    if waiting:
        yield "to do", whole(waiting), "the same command continues"
    yield "computed for", duration(sum(r.wall_s for r in study.records.values())), "all cells"
    yield "run by", study.outline.how, "seeded, in virtual time" if study.virtual else "over MPI"


def _faults(study: Study) -> Markup | None:
    failed = [r for r in study.records.values() if r.status is Status.FAILED]
    unseen = "no observation can be read in its observer’s log"
    faults = {
        "Failed": [f"{record.cell}: {record.reason}" for record in failed],
        "Damaged": [f"{cell}: its record.json cannot be read" for cell in study.damaged()],
        "Without curves": [f"{cell}: {unseen}" for cell in study.unseen()],
    }
    told = [f"{kind}: {fault}" for kind, found in faults.items() for fault in _first(found)]
    return listed(told) if told else None


def _first(faults: Sequence[str]) -> list[str]:
    more = len(faults) - FAULTS_MAX
    return [*faults[:FAULTS_MAX], *([f"{more} more"] if more > 0 else [])]


def _matrices(study: Study) -> Iterator[Markup]:
    found = list(matrices(study))
    told_of = False
    for values, matrix in found:
        if values:
            yield element("h3", text(named(values)))
        yield matrix_table(matrix)
        if told := list(verdicts(matrix)):
            yield listed(told)
            told_of = True
    remark = _remark(study, found[0][1]) + (f" {WITHSTOOD}" if told_of else "")
    yield paragraph(remark, class_="small")


def _remark(study: Study, matrix: Matrix) -> str:
    what = "Final accuracy on the test split" if matrix.accurate else "Final loss"
    seeds = len(study.outline.axes.get(REPEATED, ()))
    over = f", mean over {seeds} seeds, and their range below" if seeds > 1 else ""
    worse = "accuracy is lost against the best cell" if matrix.accurate else "loss is left"
    return (
        f"{what}{over}. ▼ and a frame mark the worst {_worst_of(matrix)}; "
        f"the darker, the more {worse}."
    )


def _worst_of(matrix: Matrix) -> str:
    if not matrix.column_axis:
        return "case"
    of, each = matrix.column_axis, matrix.row_axis
    return f"{of} of each {each}" if matrix.worst_in_rows else f"{each} of each {of}"


def _curves(study: Study) -> Markup | None:
    """All curves over each other where they can be told apart, else a chart for each row."""
    axes = {axis: study.outline.axes[axis] for axis in study.axes}
    if len(combinations(axes)) <= LINES_MAX:
        groups = {
            ", ".join(values.values()): study.histories(values) for values in combinations(axes)
        }
        return grid([figure(one) for one in charts(groups, study.time)])
    along = study.axes[min(1, len(axes) - 1)]
    names = axes.pop(along)
    drawn = [
        figure(told_apart(shown, LINES_MAX), named(values))
        for values in combinations(axes)
        for shown in _row({name: study.histories({**values, along: name}) for name in names})
    ]
    faint = len(names) > LINES_MAX
    legend = "Named are the first, the lowest and the highest at the end; the others are faint."
    return folded("Curves", paragraph(legend) if faint else None, grid(drawn)) if drawn else None


def _row(groups: Mapping[str, Sequence[History]]) -> Iterator[Chart]:
    accuracies = list(chart(ACCURACY, groups))
    yield from accuracies or chart(LOSS, groups)
    yield from drifts(groups)


def _cells(study: Study) -> tuple[tuple[str, ...], Iterator[list[str]]]:
    header = ("cell", "status", "updates", "accuracy", "best", "loss", "took", "lives")
    return header, (_cell(name, study.records.get(name)) for name in study.outline.cells)


def _cell(name: str, record: Record | None) -> list[str]:
    if record is None:
        return [name, "to do", *["–"] * 6]
    figures = (record.accuracy, record.best_accuracy, record.loss)
    return [
        name,
        record.status.value,
        whole(record.step),
        *map(number, figures),
        duration(record.wall_s),
        whole(record.lives),
    ]
