"""Charts of several runs over each other."""

import math

from guanyu_mpi.report.history import History, Look
from guanyu_mpi.report.overlay import ALIGNMENT, chart, drifts


def run(*figures: float) -> History:
    """Looks at steps 0, 10, ... that have this alignment and this drift."""
    looks = (
        Look(
            step=10 * at,
            time_s=float(at),
            accuracy=0.5,
            loss=1.0,
            drift=figure,
            alignment=figure,
            margin=math.nan,
            deviation=math.nan,
            selected={},
        )
        for at, figure in enumerate(figures)
    )
    return History(tuple(looks), (), "")


def test_what_one_seed_lacks_is_left_out_and_nothing_else_moves() -> None:
    (drawn,) = chart(ALIGNMENT, {"krum": [run(math.nan, 0.5, 0.7), run(0.1, 0.7, 0.9)]})
    assert drawn.lines[0].points == ((10.0, 0.6), (20.0, 0.8))


def test_servers_that_were_never_apart_have_no_chart_of_it() -> None:
    assert not list(drifts({"krum": [run(0.0, math.nan, 0.0)]}))
    assert list(drifts({"krum": [run(0.0, 0.0)], "median": [run(0.0, 0.1)]}))
