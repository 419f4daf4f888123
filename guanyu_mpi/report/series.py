"""Lines of a chart: points of one run, or the mean of several with what they span."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
# (x, lowest, highest)
Span: TypeAlias = tuple[float, float, float]

# Half as many places along a chart of usual width, and at each the least and the largest.
POINTS_MAX = 360


@dataclass(frozen=True, slots=True)
class Series:
    """A named line; `faint` ones are there for comparison only."""

    name: str
    points: tuple[Point, ...]
    band: tuple[Span, ...] = ()
    faint: bool = False


def series(name: str, points: Iterable[Point]) -> Series:
    """A line through points; those that are not finite are left out."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    return Series(name, tuple(thinned(finite)))


def mean(name: str, lines: Sequence[Sequence[Point]]) -> Series:
    """The mean of lines of runs that differ in their seeds, k-th point by k-th, and their span.

    Their k-th points are of the same step.
    """
    if len(lines) == 1:
        return series(name, lines[0])
    points: list[Point] = []
    band: list[Span] = []
    for together in zip(*lines, strict=True):
        ys = [y for _, y in together]
        if all(map(math.isfinite, ys)):
            x = math.fsum(x for x, _ in together) / len(together)
            points.append((x, math.fsum(y / len(ys) for y in ys)))
            band.append((x, min(ys), max(ys)))
    every = math.ceil(len(band) / POINTS_MAX) or 1
    return Series(name, tuple(thinned(points)), tuple(band[::every]))


def thinned(points: Sequence[Point], points_max: int = POINTS_MAX) -> list[Point]:
    """At most so many points, extremes among them, the first and the last always."""
    if len(points) <= points_max:
        return list(points)
    inner, places = points[1:-1], points_max // 2 - 1
    kept = [points[0]]
    for place in range(places):
        bucket = inner[len(inner) * place // places : len(inner) * (place + 1) // places]
        ends = {min(bucket, key=lambda at: at[1]), max(bucket, key=lambda at: at[1])}
        kept += sorted(ends)
    return [*kept, points[-1]]
