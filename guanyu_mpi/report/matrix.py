"""The matrix of an experiment: a figure for each combination of two axes, worst cases marked."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guanyu_mpi.experiment import Record, Status
from guanyu_mpi.report.markup import Markup, element, text
from guanyu_mpi.report.numerals import number

# The axis along which the worst is looked for, and what is no attack there.
ATTACK, NOBODY = "attack", "none"
# From this shade on, ink is hard to read on it.
DARK = 0.62


@dataclass(frozen=True, slots=True)
class Entry:
    """The results of the cells of one combination; `expected` are so many."""

    records: tuple[Record, ...]
    expected: int

    @property
    def diverged(self) -> bool:
        """Whether the run of any seed has."""
        return any(record.status is Status.DIVERGED for record in self.records)

    @property
    def failed(self) -> int:
        """How many have no result because their run failed."""
        return sum(record.status is Status.FAILED for record in self.records)

    def figures(self, *, accurate: bool) -> list[float]:
        """Final accuracies, or losses, of those that have one."""
        results = [record for record in self.records if record.done]
        found = [record.accuracy if accurate else record.loss for record in results]
        return [figure for figure in found if figure is not None]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Entries by row and column; `accurate` if they are accuracies, else losses.

    `worst_in_rows` says whether the worst is looked for along rows, else along columns.
    """

    row_axis: str
    column_axis: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: tuple[tuple[Entry, ...], ...]
    accurate: bool
    worst_in_rows: bool

    def badness(self, entry: Entry) -> float:
        """More for worse; NaN where nothing is known."""
        if entry.diverged:
            return math.inf
        figures = entry.figures(accurate=self.accurate)
        if not figures:
            return math.nan
        return -min(figures) if self.accurate else max(figures)

    def worst(self, entries: Sequence[Entry], names: Sequence[str]) -> Entry | None:
        """The worst of several entries, as far as they are known; no attack is no worst case."""
        known = [
            entry
            for entry, name in zip(entries, names, strict=True)
            if name != NOBODY and not math.isnan(self.badness(entry))
        ]
        return max(known, key=self.badness) if known and len(entries) > 1 else None

    def worst_cases(self) -> list[Entry | None]:
        """The worst of each row, or of each column where it is looked for there."""
        if self.worst_in_rows:
            return [self.worst(row, self.columns) for row in self.entries]
        return [self.worst(column, self.rows) for column in zip(*self.entries, strict=True)]

    def span(self) -> tuple[float, float] | None:
        """The levels of the best and the worst of all entries; None if none is known."""
        levels = [self._level(at) for row in self.entries for at in row]
        finite = [level for level in levels if math.isfinite(level)]
        # An accuracy is measured against none at all.
        return (min(finite), 0.0 if self.accurate else max(finite)) if finite else None

    def shade(self, entry: Entry, span: tuple[float, float] | None) -> float:
        """How far an entry is from the best to the worst of all, 0 to 1."""
        level = self._level(entry)
        if span is None or math.isnan(level):
            return 0.0
        low, high = span
        return 1.0 if math.isinf(level) else (level - low) / (high - low) if high > low else 0.0

    def _level(self, entry: Entry) -> float:
        badness = self.badness(entry)
        if self.accurate or not math.isfinite(badness):
            return badness
        return math.log10(badness) if badness > 0 else math.nan


def table(matrix: Matrix) -> Markup:
    """The matrix as a table."""
    # What matters most is beside the names: on a narrow screen the others are scrolled to.
    columns = [*(["worst case"] if matrix.worst_in_rows else []), *matrix.columns]
    corner = f"{matrix.row_axis} ↓  {matrix.column_axis} →" if matrix.column_axis else ""
    head = element(
        "tr",
        element("th", text(corner or matrix.row_axis), scope="col"),
        *(element("th", text(name), scope="col") for name in columns),
    )
    worst, span = matrix.worst_cases(), matrix.span()
    body = [
        element("tr", element("th", text(name), scope="row"), *_cells(matrix, at, worst, span))
        for at, name in enumerate(matrix.rows)
    ]
    if not matrix.worst_in_rows and matrix.column_axis:
        body.append(_worst_row(matrix, worst))
    shown = element("table", element("thead", head), element("tbody", *body), class_="matrix")
    return element("div", shown, class_="wide", tabindex="0")


def _cells(
    matrix: Matrix, at: int, worst: Sequence[Entry | None], span: tuple[float, float] | None
) -> Iterator[Markup]:
    row = matrix.entries[at]
    if matrix.worst_in_rows:
        yield _summary(matrix, worst[at], row, matrix.columns)
    for place, entry in enumerate(row):
        is_worst = entry is worst[at if matrix.worst_in_rows else place]
        yield _cell(matrix, entry, matrix.shade(entry, span), worst=is_worst)


def _worst_row(matrix: Matrix, worst: Sequence[Entry | None]) -> Markup:
    columns = zip(*matrix.entries, strict=True)
    summaries = (
        _summary(matrix, entry, column, matrix.rows)
        for entry, column in zip(worst, columns, strict=True)
    )
    return element("tr", element("th", text("worst case"), scope="row"), *summaries)


def _summary(
    matrix: Matrix, worst: Entry | None, entries: Sequence[Entry], names: Sequence[str]
) -> Markup:
    if worst is None:
        return element("td", text("–"), class_="sum open")
    name = next(name for name, entry in zip(names, entries, strict=True) if entry is worst)
    # Of the seed by which it is the worst; its own cell has the mean.
    worst_seed = min if matrix.accurate else max
    figures = worst.figures(accurate=matrix.accurate)
    told = "diverged" if worst.diverged else number(worst_seed(figures))
    return element("td", text(told), element("small", text(name)), class_="sum")


def _cell(matrix: Matrix, entry: Entry, shade: float, *, worst: bool) -> Markup:
    told, notes = _figure(matrix, entry), ", ".join(_notes(matrix, entry))
    known = entry.diverged or bool(entry.figures(accurate=matrix.accurate))
    classes = [*(["worst"] if worst else []), *(["dark"] if shade > DARK else [])]
    return element(
        "td",
        text(f"▼ {told}" if worst else told),
        element("small", text(notes)) if notes else None,
        class_=" ".join(classes if known else [*classes, "open"]),
        **({"style": f"background-color:rgba(150,52,10,{0.92 * shade:.2f})"} if known else {}),
    )


def _notes(matrix: Matrix, entry: Entry) -> Iterator[str]:
    figures = entry.figures(accurate=matrix.accurate)
    if len(figures) > 1 and not entry.diverged:
        yield f"{number(min(figures))}–{number(max(figures))}"
    if entry.failed and figures:
        yield f"{entry.failed} failed"
    elif 0 < len(entry.records) < entry.expected:
        yield f"{len(entry.records)} of {entry.expected}"


def _figure(matrix: Matrix, entry: Entry) -> str:
    """The mean over the seeds, or why there is none."""
    figures = entry.figures(accurate=matrix.accurate)
    if entry.diverged:
        return "diverged"
    if not figures:
        return "failed" if entry.failed else "to do"
    return number(math.fsum(figures) / len(figures))
