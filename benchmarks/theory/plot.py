"""Measured against bound, log-log: a panel for every problem and rule, without colours."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from theorem import Point, slope

INK, GREY = "black", "0.55"


def draw(results: Mapping[tuple[str, str], Sequence[Point]], path: Path) -> None:
    """Write the plot; rows are problems and share their axes, columns are rules."""
    labels = list(dict.fromkeys(label for label, _ in results))
    rules = list(dict.fromkeys(rule for _, rule in results))
    figure, axes = pyplot.subplots(
        len(labels),
        len(rules),
        figsize=(2.5 * len(rules) + 0.8, 2.25 * len(labels) + 1.1),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for (label, rule), points in results.items():
        row, column = labels.index(label), rules.index(rule)
        _panel(axes[row][column], points)
        if row == 0:
            axes[row][column].set_title(rule, fontsize=11)
        if column == 0:
            axes[row][column].set_ylabel(f"{label}\n" + r"$\min_{k<K}\ E\|\nabla f(x_k)\|^2$")
        if row == len(labels) - 1:
            axes[row][column].set_xlabel("steps K")
    figure.legend(handles=_legend(), loc="lower center", ncol=6, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.045, 0.995, 1))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _panel(axes: Axes, points: Sequence[Point]) -> None:
    steps = [point.steps for point in points]
    axes.set(xscale="log", yscale="log")
    axes.plot(steps, [point.bound for point in points], "--", color=INK, linewidth=1.2)
    axes.plot(steps, [point.minimum for point in points], "-", color=INK, linewidth=1.2)
    for point in points:
        axes.plot(point.steps, point.minimum, **_marker(point))
    # What O(1/sqrt K) looks like, from the first point.
    reference = [points[0].minimum * (k / steps[0]) ** -0.5 for k in steps]
    axes.plot(steps, reference, ":", color=GREY, linewidth=1)
    if len(points) > 1:
        value, error = slope(points)
        text = f"slope {value:.2f} ± {error:.2f}"
        place = {"transform": axes.transAxes, "horizontalalignment": "right"}
        axes.text(0.96, 0.9, text, fontsize=8, **place)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, color="0.9", linewidth=0.6)


def _marker(point: Point) -> dict[str, object]:
    """Filled where the rule's own theorem promises resilience; a cross where the rate is large."""
    if not point.rate_is_small:
        return {"marker": "x", "markersize": 6, "color": INK}
    fill = INK if point.resilience_is_promised else "white"
    return {
        "marker": "o",
        "markersize": 5,
        "markerfacecolor": fill,
        "markeredgecolor": INK,
        "linestyle": "none",
    }


def _legend() -> list[Line2D]:
    def line(label: str, **style: object) -> Line2D:
        return Line2D([], [], color=INK, label=label, **style)

    return [
        line("measured", linestyle="-", linewidth=1.2),
        line("bound", linestyle="--", linewidth=1.2),
        line("rule's own condition holds", linestyle="none", marker="o", markersize=5),
        line(
            "it fails, or none is known",
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="white",
        ),
        line("rate above the theorem's", linestyle="none", marker="x", markersize=6),
        Line2D([], [], color=GREY, linestyle=":", label=r"$K^{-1/2}$"),
    ]
