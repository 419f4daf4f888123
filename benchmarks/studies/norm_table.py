"""Whether a hostile server pulls models towards zero: benchmarks/studies/norm_table.py RUN_DIR.

Of each run of an experiment, from the checkpoints that it has kept: the norm of its servers'
models at the end, and in how far they differ: the standard deviation of a coordinate, the root of
its mean square over coordinates and checkpoints.

If one of five votes is as far away as can be and on the side of zero, the median is the second of
the other four on that side. Of four normal values that lies 0.297 standard deviations from their
mean. From this follows what the norm should have lost since the beginning, if the models always
differed as at the end and no gradient had pulled back: by steps * 0.297 * deviation * (sum of
magnitudes / norm).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from guanyu_mpi.bench.markdown import markdown
from guanyu_mpi.checkpoint.store import path_of, read, scan
from guanyu_mpi.report.study import Study, read_study
from guanyu_mpi.run_dir import checkpoint_dir

# Expectation of the second largest of four standard normal values.
SECOND_OF_FOUR = 0.297
UNKNOWN = "-"


def rows(study: Study) -> Iterator[list[str]]:
    """A line for each combination of names along the axes."""
    (axis,) = study.axes
    for name in study.outline.axes[axis]:
        (cell, *_) = study.cells({axis: name})
        yield [name, *_row(checkpoint_dir(study.folder.run_dir(cell)))]


def _row(root: Path) -> list[str]:
    held = scan(root)
    steps = sorted(set.intersection(*map(set, held.values()))) if held else []
    if not steps:
        return [UNKNOWN] * 4
    deviations = []
    for step in steps:
        models_nd = np.stack([read(path_of(root, server, step)).params for server in sorted(held)])
        if len(held) > 1:
            deviations.append(float(np.sqrt(models_nd.var(axis=0, ddof=1).mean())))
    model = models_nd.mean(axis=0)
    norm = float(np.linalg.norm(model))
    row = [str(step), f"{norm:.2f}"]
    if not deviations:
        return [*row, UNKNOWN, UNKNOWN]
    deviation = float(np.median(deviations))
    pull = step * SECOND_OF_FOUR * deviation * float(np.abs(model).sum()) / norm
    return [*row, f"{deviation:.2g}", f"{pull:.2f}"]


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    study = read_study(parser.parse_args().run_dir)
    header = ["", "updates", "norm", "deviation", "lost by a hostile vote, predicted"]
    print("\n".join(markdown(header, list(rows(study)))))


if __name__ == "__main__":
    main()
