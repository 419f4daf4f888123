"""The charts of what an observer sees, of one run or of several over each other."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from guanyu_mpi.drift import UNALIGNED
from guanyu_mpi.report.axes import Logarithmic, fitting, from_zero
from guanyu_mpi.report.history import History, Look
from guanyu_mpi.report.lines import Chart
from guanyu_mpi.report.series import Series, mean


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that is drawn: its title, its axis' name, and how to get it of an observation."""

    title: str
    label: str
    of: Callable[[Look], float]
    log: bool | None = None
    threshold: tuple[float, str] | None = None


ACCURACY = Figure("Accuracy", "accuracy on the test split", lambda look: look.accuracy, log=False)
LOSS = Figure("Loss", "loss", lambda look: look.loss)
DRIFT = Figure(
    "Drift between honest servers",
    "largest difference of a coordinate",
    lambda look: look.drift,
    log=True,
)
ALIGNMENT = Figure(
    "Alignment of the servers’ differences",
    "|cosine| of the two largest",
    lambda look: look.alignment,
    log=False,
    threshold=(UNALIGNED, "of random directions"),
)
MARGIN = Figure(
    "Resilience monitor",
    "gradient’s length, as a multiple of what the rule needs",
    lambda look: look.margin,
    log=True,
    threshold=(1.0, "guaranteed above"),
)
DEVIATION = Figure(
    "Deviation of the gradients",
    "√d σ, as a multiple of the gradient’s length",
    lambda look: look.deviation,
    log=True,
)


def charts(groups: Mapping[str, Sequence[History]], time: str) -> Iterator[Chart]:
    """All charts that there is anything for; runs of a group differ in their seeds only.

    `time` is "virtual" or "elapsed", or nothing where runs have different ones.
    """
    for figure in (ACCURACY, LOSS):
        yield from chart(figure, groups)
        yield from chart(figure, groups, time) if time else ()
    yield from drifts(groups)
    yield from chart(ALIGNMENT, groups)
    known = [*chart(MARGIN, groups)]
    yield from known or chart(DEVIATION, groups)


def drifts(groups: Mapping[str, Sequence[History]]) -> Iterator[Chart]:
    """The chart of the drift, where servers have ever been apart."""
    seen = chain.from_iterable(history.looks for history in chain.from_iterable(groups.values()))
    if any(look.drift > 0 for look in seen):
        yield from chart(DRIFT, groups)


def chart(
    figure: Figure, groups: Mapping[str, Sequence[History]], time: str = ""
) -> Iterator[Chart]:
    """One chart, if there is anything for it; against updates, or that kind of time."""
    lines = tuple(line for line in _lines(figure, groups, by_time=bool(time)) if line.points)
    drawn = chain.from_iterable(line.points for line in lines)
    xs, ys = zip(*drawn, strict=True) if lines else ((), ())
    if not lines:
        return
    spans = [y for line in lines for _, *ends in line.band for y in ends]
    level = [figure.threshold[0]] if figure.threshold else []
    y_axis = fitting([*ys, *spans, *level], log=figure.log)
    yield Chart(
        title=figure.title,
        against="time" if time else "updates",
        x_label=f"{time} time in s" if time else "updates",
        y_label=figure.label + (" (log)" if isinstance(y_axis, Logarithmic) else ""),
        x_axis=from_zero(max(xs)),
        y_axis=y_axis,
        lines=lines,
        threshold=figure.threshold,
        restarts=tuple(_restarts(groups, by_time=bool(time))),
    )


def told_apart(chart: Chart, lines_max: int) -> Chart:
    """The chart, with only the first line, the lowest and the highest named if there are many."""
    if len(chart.lines) <= lines_max:
        return chart
    order = sorted(chart.lines, key=lambda line: line.points[-1][1])
    named = {chart.lines[0].name, order[0].name, order[-1].name}
    lines = tuple(replace(line, faint=line.name not in named) for line in chart.lines)
    return replace(chart, lines=lines)


def _lines(
    figure: Figure, groups: Mapping[str, Sequence[History]], *, by_time: bool
) -> Iterator[Series]:
    for name, histories in groups.items():
        if histories:
            steps = _seen(histories)
            x_of = _time if by_time else _step
            yield mean(
                name,
                [
                    [(_at(step, x_of, looks), _at(step, figure.of, looks)) for step in steps]
                    for looks in (history.looks for history in histories)
                ],
            )


def _seen(histories: Sequence[History]) -> list[int]:
    """The steps at which any was seen, as far as all go: a mean of fewer would jump."""
    looks = [history.looks for history in histories]
    first, last = max(seen[0].step for seen in looks), min(seen[-1].step for seen in looks)
    steps = {look.step for seen in looks for look in seen}
    return sorted(step for step in steps if first <= step <= last)


def _at(step: int, of: Callable[[Look], float], looks: Sequence[Look]) -> float:
    """A figure at a step, between two looks on the line through them.

    An observer that is busy skips steps, each its own.
    """
    place = bisect_left(looks, step, key=lambda look: look.step)
    after = looks[place]
    if after.step == step:
        return of(after)
    before = looks[place - 1]
    share = (step - before.step) / (after.step - before.step)
    return of(before) + share * (of(after) - of(before))


def _time(look: Look) -> float:
    return look.time_s


def _step(look: Look) -> float:
    return float(look.step)


def _restarts(groups: Mapping[str, Sequence[History]], *, by_time: bool) -> Iterator[float]:
    """Where a run was continued, if the chart is of one."""
    histories = list(chain.from_iterable(groups.values()))
    for look in histories[0].restarts if len(histories) == 1 else ():
        yield look.time_s if by_time else float(look.step)
