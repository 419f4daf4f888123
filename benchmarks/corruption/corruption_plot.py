"""Drift under corrupted exchanges: benchmarks/corruption/corruption_plot.py DDP RUN_DIR OUT.png.

DDP is the folder of replicas.py, RUN_DIR that of configs/experiments/corruption.toml. Left what
DDP's replicas and GuanYu's servers are apart, right how far DDP's are from their mean, beside the
walk that independent noise makes. Means over the seeds; needs matplotlib.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import matplotlib
import numpy as np

matplotlib.use("Agg")

from corruption_table import looks
from matplotlib import pyplot
from matplotlib.axes import Axes

from guanyu_mpi.report.history import History
from guanyu_mpi.report.study import read_study

# Steps, and a figure at each.
Line: TypeAlias = tuple[Sequence[int], Sequence[float]]

INK, GREY = "black", "0.55"
NOISES = {"noise-10": "-", "noise-1": "--"}
CONTRACTIONS = {"mean": "o", "median": "s"}


def replicas(folder: Path, kind: str, figure: str) -> Line:
    """A figure of DDP's replicas at each look, the mean over the seeds."""
    runs = looks(folder, kind)
    steps = [look["step"] for look in runs[0]]
    return steps, np.mean([[look[figure] for look in run] for run in runs], axis=0).tolist()


def servers(histories: Sequence[History]) -> Line:
    """What GuanYu's servers are apart at each look, the mean over the seeds."""
    steps = [look.step for look in histories[0].looks]
    drifts = [[look.drift for look in history.looks] for history in histories]
    return steps, np.mean(drifts, axis=0).tolist()


def draw(axes: Axes, lines: Mapping[str, tuple[Line, str, str]], ylabel: str) -> None:
    """Lines by label: points, style, colour."""
    for label, ((steps, values), style, color) in lines.items():
        axes.plot(
            steps[1:], values[1:], style, color=color, label=label, markersize=3, linewidth=1.1
        )
    axes.set(yscale="log", xlabel="updates", ylabel=ylabel)
    axes.grid(visible=True, color="0.9", linewidth=0.6)
    axes.legend(fontsize=7, frameon=False)
    axes.tick_params(labelsize=8)


def main() -> None:
    """Draw both panels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ddp", type=Path)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    study = read_study(asked.run_dir)
    apart = {
        f"DDP, {noise}": (replicas(asked.ddp, noise, "drift"), style, INK)
        for noise, style in NOISES.items()
    }
    for noise, style in NOISES.items():
        for contraction, marker in CONTRACTIONS.items():
            found = study.histories({"contraction": contraction, "corruption": noise})
            apart[f"GuanYu, {contraction}, {noise}"] = servers(found), style + marker, GREY
    walked = {}
    for noise, style in NOISES.items():
        walked[f"DDP, {noise}"] = replicas(asked.ddp, noise, "distance"), style, INK
        walked[f"walk of the noise, {noise}"] = replicas(asked.ddp, noise, "walk"), ":", GREY
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.2))
    draw(panels[0], apart, "largest difference of a coordinate")
    draw(panels[1], walked, "distance from the mean, L2, root mean square")
    figure.tight_layout()
    figure.savefig(asked.out, dpi=110)


if __name__ == "__main__":
    main()
