"""Charts of several runs over each other."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from report_files import record, write_study

from guanyu_mpi.experiment import Status
from guanyu_mpi.report.history import History, Look
from guanyu_mpi.report.overlay import ALIGNMENT, chart, drifts
from guanyu_mpi.report.study import read_study


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


def test_seeds_are_averaged_at_the_same_steps() -> None:
    """A busy observer skips steps, each its own: between two looks there is a straight line."""
    often = run(*(k / 10 for k in range(10)))
    seldom = replace(often, looks=often.looks[::3])
    other = replace(often, looks=(*often.looks[:2], *often.looks[4:7], often.looks[9]))
    (drawn,) = chart(ALIGNMENT, {"krum": [often, seldom, other]})
    assert [x for x, _ in drawn.lines[0].points] == [10.0 * k for k in range(10)]
    assert [y for _, y in drawn.lines[0].points] == pytest.approx([k / 10 for k in range(10)])
    assert all(high - low < 1e-9 for _, low, high in drawn.lines[0].band)


def test_servers_that_were_never_apart_have_no_chart_of_it() -> None:
    assert not list(drifts({"krum": [run(0.0, math.nan, 0.0)]}))
    assert list(drifts({"krum": [run(0.0, 0.0)], "median": [run(0.0, 0.1)]}))


def test_the_curve_of_a_run_that_failed_is_none_of_the_mean(tmp_path: Path) -> None:
    folder = write_study(tmp_path, {"seed": ("1", "2")}, {("1",): 0.9, ("2",): 0.5})
    assert len(read_study(tmp_path).histories({})) == 2
    folder.write(record({"seed": "2"}, None, status=Status.FAILED, reason="killed", step=10))
    (seen,) = read_study(tmp_path).histories({})
    assert seen.looks[-1].accuracy == 0.9
