"""What a benchmark is to reach, whether it does, and both as a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from guanyu_mpi.bench.markdown import markdown, told

Measured = TypeVar("Measured")


class Sense(StrEnum):
    """Which side of a target's bound is the good one."""

    AT_LEAST = ">="
    AT_MOST = "<="


class Verdict(StrEnum):
    """What has become of a target."""

    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Target(Generic[Measured]):
    """A bound on a figure of a report, in words and numbers."""

    what: str
    # None if it was not measured.
    figure: Callable[[Measured], float | None]
    sense: Sense
    bound: float
    # How the figure and its bound are written.
    form: str = "{:.3g}x"


def verdict(figure: float | None, sense: Sense, bound: float) -> Verdict:
    """Whether a figure is on the good side of a bound, or on it.

    >>> verdict(0.71, Sense.AT_LEAST, 0.7).value, verdict(0.71, Sense.AT_MOST, 0.7).value
    ('met', 'missed')
    """
    if figure is None:
        return Verdict.NOT_MEASURED
    good = figure >= bound if sense is Sense.AT_LEAST else figure <= bound
    return Verdict.MET if good else Verdict.MISSED


def judged(title: str, targets: Sequence[Target[Measured]], report: Measured) -> list[str]:
    """The targets, what was measured of them, and how many were missed, as lines."""
    figures = [target.figure(report) for target in targets]
    verdicts = [
        verdict(figure, target.sense, target.bound)
        for target, figure in zip(targets, figures, strict=True)
    ]
    rows = [
        [
            target.what,
            f"{target.sense} {target.form.format(target.bound)}",
            told(figure, target.form),
            found,
        ]
        for target, figure, found in zip(targets, figures, verdicts, strict=True)
    ]
    counts = ", ".join(f"{verdicts.count(each)} {each}" for each in Verdict)
    return [f"## {title}: {counts}", "", *markdown(("", "target", "measured", "verdict"), rows)]
