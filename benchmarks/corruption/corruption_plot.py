"""Drift under corrupted exchanges: benchmarks/corruption/corruption_plot.py DDP RUN_DIR OUT.png.

DDP is the folder of replicas.py, RUN_DIR that of configs/experiments/corruption.toml. Left what
DDP's replicas and GuanYu's servers are apart, right how far DDP's are from their mean, beside the
walk that independent noise makes. Means over the seeds; needs matplotlib.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from guanyu_mpi.report.history import History
from guanyu_mpi.report.study import read_study

INK, GREY = "black", "0.55"
NOISES = {"noise-10": "-", "noise-1": "--"}
CONTRACTIONS = {"mean": "o", "median": "s"}


def replicas(folder: Path, kind: str, figure: str) -> tuple[Sequence[int], Sequence[float]]:
    """A figure of DDP's replicas at each look, the mean over the seeds."""
    runs = [
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.glob(f"{kind}-[0-9].jsonl"))
    ]
    steps = [look["step"] for look in runs[0]]
    return steps, np.mean([[look[figure] for look in run] for run in runs], axis=0).tolist()


def servers(histories: Sequence[History], figure: Callable[[History], Sequence[float]]) -> object:
    """The same of GuanYu's servers."""
    steps = [look.step for look in histories[0].looks]
    return steps, np.mean([figure(history) for history in histories], axis=0).tolist()


def draw(axes: Axes, lines: Mapping[str, tuple[object, str, str]], ylabel: str) -> None:
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
            drifts = servers(found, lambda seen: [look.drift for look in seen.looks])
            apart[f"GuanYu, {contraction}, {noise}"] = drifts, style + marker, GREY
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
