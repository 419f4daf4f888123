"""Seconds per step over the number of ranks or workers, log-log, without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from scaling_table import Compared

INK, GREY = "black", "0.55"
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "x")


def draw_compared(compared: Sequence[Compared], path: Path) -> None:
    """Measured (points) and modelled (lines), a panel for each size of vectors."""
    dimensions = sorted({each.job.dimension for each in compared})
    figure, panels = _panels(len(dimensions))
    for axes, dimension in zip(panels, dimensions, strict=True):
        for declared, style in ((False, "-"), (True, "--")):
            shown = [
                each
                for each in compared
                if each.job.dimension == dimension
                and bool(each.job.cluster.byzantine_workers) is declared
            ]
            ranks = [each.job.cluster.num_ranks for each in shown]
            waits = "2f + 3" if declared else "everyone"
            axes.plot(
                ranks,
                [each.modelled_s for each in shown],
                style,
                color=INK,
                linewidth=1.2,
                label=f"model, waits for {waits}",
            )
            for seen, fill in ((True, GREY), (False, "white" if declared else INK)):
                some = [each for each in shown if each.job.calibrates is seen]
                axes.plot(
                    [each.job.cluster.num_ranks for each in some],
                    [each.measured_s for each in some],
                    "os"[declared],
                    color=INK,
                    markerfacecolor=fill,
                    label=f"measured{', seen before' if seen else ''}" if some else None,
                )
        axes.set(title=f"d = {dimension:,}", xlabel="ranks")
    _finish(figure, panels, path)


def draw_predicted(
    workers: Sequence[int], seconds: Mapping[str, Mapping[str, Sequence[float]]], path: Path
) -> None:
    """A panel for each title, a line for each label of its."""
    figure, panels = _panels(len(seconds))
    for axes, (title, lines) in zip(panels, seconds.items(), strict=True):
        for k, (label, values) in enumerate(lines.items()):
            style = STYLES[k % len(STYLES)] + MARKERS[k % len(MARKERS)]
            color = INK if k % 2 == 0 else GREY
            axes.plot(
                workers, values, style, color=color, markersize=4, linewidth=1.2, label=label
            )
        axes.set(title=title, xlabel="workers")
    _finish(figure, panels, path)


def _panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    figure, axes = pyplot.subplots(1, count, figsize=(4.6 * count + 0.4, 4.2), squeeze=False)
    axes[0][0].set_ylabel("seconds per step")
    return figure, list(axes[0])


def _finish(figure: Figure, panels: Sequence[Axes], path: Path) -> None:
    for axes in panels:
        axes.set(xscale="log", yscale="log")
        axes.grid(visible=True, which="both", color="0.9", linewidth=0.6)
        axes.tick_params(labelsize=8)
    panels[0].legend(fontsize=7, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
