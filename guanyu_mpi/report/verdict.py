"""In words: which attacks each row of a matrix does not withstand, beside itself unattacked."""

import math
from collections.abc import Iterator, Mapping

from guanyu_mpi.report.matrix import ATTACK, NOBODY, Entry, Matrix
from guanyu_mpi.report.numerals import number

# Accuracy that may be missing at the end: several times what seeds differ by.
LOST_MAX = 0.05
SAID_OF = (
    f"A row withstands an attack if no seed ends more than {LOST_MAX} below its unattacked mean."
)


def verdicts(matrix: Matrix) -> Iterator[str]:
    """A sentence for each row; the worst accuracy beside each attack that it fails under.

    Nothing where the matrix does not tell, for it has no attacks along, or no accuracies.
    """
    if matrix.column_axis != ATTACK or NOBODY not in matrix.columns or not matrix.accurate:
        return
    for name, entries in zip(matrix.rows, matrix.entries, strict=True):
        cells = dict(zip(matrix.columns, entries, strict=True))
        unattacked = cells.pop(NOBODY).figures(accurate=True)
        if unattacked:
            least = math.fsum(unattacked) / len(unattacked) - LOST_MAX
            yield f"{name} {_verdict(cells, least)}."


def _verdict(cells: Mapping[str, Entry], least: float) -> str:
    lost = [f"{attack} ({_told(at)})" for attack, at in cells.items() if _worst(at) < least]
    unknown = [attack for attack, at in cells.items() if math.isnan(_worst(at))]
    held = len(cells) - len(lost) - len(unknown)
    more = f"; not known of {', '.join(unknown)}" if unknown else ""
    if not lost:
        return f"withstands all of {held}{more}"
    return f"withstands {held} of {len(cells)}, and fails under {', '.join(lost)}{more}"


def _worst(entry: Entry) -> float:
    figures = entry.figures(accurate=True)
    return -math.inf if entry.diverged else min(figures, default=math.nan)


def _told(entry: Entry) -> str:
    return "diverged" if entry.diverged else number(_worst(entry))
