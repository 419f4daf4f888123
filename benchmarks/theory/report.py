"""The table of what was measured, one line for a problem and a rule."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from theorem import Point, slope

HEADINGS = (
    "problem",
    "rule",
    "K",
    "slope",
    "slope, last half",
    "worst min / bound",
    "worst mean / bound",
    "least mu",
    "largest c",
    "growth",
    "rate small enough",
    "rule's own condition",
)


def table(results: Mapping[tuple[str, str], Sequence[Point]]) -> str:
    """Markdown; ratios are over the K whose rate is as small as the theorem wants it."""
    lines = [_line(HEADINGS), _line("---" for _ in HEADINGS)]
    lines += [_line(_row(label, rule, points)) for (label, rule), points in results.items()]
    return "\n".join(lines) + "\n"


def _row(label: str, rule: str, points: Sequence[Point]) -> Iterator[str]:
    covered = [point for point in points if point.rate_is_small]
    yield label
    yield rule
    yield f"{points[0].steps} to {points[-1].steps}"
    yield _slope(points)
    yield _slope(points[len(points) // 2 :])
    yield _worst(point.minimum / point.bound for point in covered)
    yield _worst(point.mean / point.bound for point in covered)
    yield f"{min(point.resilience.mu for point in points):.2f}"
    yield f"{max(point.resilience.c for point in points):.2f}"
    yield f"{max(point.growth for point in points):.2f}"
    yield f"{len(covered)} of {len(points)}"
    yield _promised(points)


def _slope(points: Sequence[Point]) -> str:
    if len(points) < 2:
        return "-"
    value, error = slope(points)
    return f"{value:.2f} +- {error:.2f}"


def _worst(ratios: Iterable[float]) -> str:
    return f"{max(ratios, default=float('nan')):.3f}"


def _promised(points: Sequence[Point]) -> str:
    if points[0].resilience_is_promised is None:
        return "none known"
    held = sum(bool(point.resilience_is_promised) for point in points)
    return f"{held} of {len(points)}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
