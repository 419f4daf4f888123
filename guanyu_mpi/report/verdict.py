"""In words: which attacks each row of a matrix does not withstand, beside itself unattacked."""

import math
from collections.abc import Iterator, Mapping

from guanyu_mpi.report.matrix import ATTACK, NOBODY, Entry, Matrix
from guanyu_mpi.report.numerals import number

# Accuracy that may be missing at the end: several times what seeds differ by.
LOST_MAX = 0.05
WITHSTOOD = (
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
        nobody = cells.pop(NOBODY)
        unattacked = nobody.figures(accurate=True)
        if _is_whole(nobody) and not nobody.diverged:
            least = math.fsum(unattacked) / len(unattacked) - LOST_MAX
            yield f"{name} {_verdict(cells, least)}."


def _verdict(cells: Mapping[str, Entry], least: float) -> str:
    # One seed is enough to fail, and all are needed to withstand.
    lost = {attack: _told(at) for attack, at in cells.items() if _worst(at) < least}
    unknown = [name for name, at in cells.items() if name not in lost and not _is_whole(at)]
    held = len(cells) - len(lost) - len(unknown)
    under = ", ".join(f"{attack} ({told})" for attack, told in lost.items())
    failed = f", and fails under {under}" if lost else ""
    more = f"; not known of {', '.join(unknown)}" if unknown else ""
    return f"withstands {held} of {len(cells)}{failed}{more}"


def _is_whole(entry: Entry) -> bool:
    """Whether all of its seeds have a result."""
    return len(entry.figures(accurate=True)) == entry.expected


def _worst(entry: Entry) -> float:
    figures = entry.figures(accurate=True)
    return -math.inf if entry.diverged else min(figures, default=math.nan)


def _told(entry: Entry) -> str:
    return "diverged" if entry.diverged else number(_worst(entry))
