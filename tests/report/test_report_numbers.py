"""Numbers, axes and places of labels: what a reader of a chart relies on."""

import doctest
import math
from itertools import pairwise
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.report import labels, numerals
from guanyu_mpi.report.axes import Linear, Logarithmic, fitting
from guanyu_mpi.report.labels import spread
from guanyu_mpi.report.numerals import number
from guanyu_mpi.report.series import mean, series, thinned

FINITE = st.floats(-1e12, 1e12, allow_subnormal=False)


@pytest.mark.parametrize("module", [numerals, labels])
def test_examples_are_as_documented(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("value", "told"),
    [(math.inf, "∞"), (math.nan, "–"), (0.0, "0"), (-0.5, "−0.500"), (999_999.0, "999,999")],
)
def test_odd_numbers_are_told_too(value: float, told: str) -> None:
    assert number(value) == told


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=20))
def test_every_value_has_a_place_on_its_axis(values: list[float]) -> None:
    for axis in (fitting(values), fitting(values, log=False)):
        places = [axis.place(value) for value in values]
        assert all(place is not None and -1e-6 <= place <= 1 + 1e-6 for place in places)


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=20))
def test_an_axis_has_ticks_and_not_too_many(values: list[float]) -> None:
    ticks = fitting(values).ticks()
    assert 1 <= len(ticks) <= 8
    assert all(-1e-6 <= place <= 1 + 1e-6 for place, _ in ticks)


def test_values_of_many_magnitudes_get_a_logarithmic_axis() -> None:
    assert fitting([1e-6, 1.0]) == Logarithmic(-6, 0)
    assert fitting([0.5, 1.0]) == Linear(0.5, 1.0)


def test_values_that_differ_by_rounding_alone_have_an_axis() -> None:
    values = [0.3898088070211341, math.nextafter(0.3898088070211341, 1.0)]
    axis = fitting(values)
    assert axis.ticks()
    assert axis.place(values[0]) == pytest.approx(0.5)
    assert [told for _, told in Logarithmic(-3, 0).ticks()] == ["10⁻³", "10⁻²", "0.1", "1"]


def test_zero_keeps_a_place_on_a_logarithmic_axis() -> None:
    """Drift is 0 where all servers took the same quorum: a fact, not a gap."""
    axis = fitting([0.0, 1e-3, 1.0], log=True)
    smallest = axis.place(1e-3)
    assert axis.place(0.0) == 0.0
    assert smallest is not None
    assert smallest > 0.1
    assert axis.ticks()[0] == (0.0, "0")
    assert fitting([1.0, 10.0], log=True).place(-1.0) is None


@settings(deadline=None)
@given(st.lists(st.floats(0, 200), max_size=14))
def test_labels_do_not_overlap_and_stay_in_their_room(wanted: list[float]) -> None:
    places = spread(wanted, gap=13.0, low=0.0, high=200.0)
    ordered = sorted(places)
    assert all(b - a >= 13.0 - 1e-6 for a, b in pairwise(ordered))
    assert all(-1e-6 <= place <= 200 + 1e-6 for place in places)


def test_more_labels_than_there_is_room_for_still_stay_in_it() -> None:
    places = spread([5.0] * 40, gap=13.0, low=0.0, high=100.0)
    assert min(places) >= -1e-6
    assert max(places) <= 100 + 1e-6


@settings(deadline=None)
@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=3000))
def test_thinning_keeps_ends_and_extremes_and_is_bounded(
    points: list[tuple[float, float]],
) -> None:
    points.sort()
    kept = thinned(points, 100)
    assert len(kept) <= 100
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert max(y for _, y in kept) == max(y for _, y in points)
    assert min(y for _, y in kept) == min(y for _, y in points)


def test_the_mean_of_several_seeds_has_what_they_span() -> None:
    line = mean("x", [[(0.0, 1.0), (10.0, 2.0)], [(0.0, 3.0), (10.0, 6.0)]])
    assert line.points == ((0.0, 2.0), (10.0, 4.0))
    assert line.band == ((0.0, 1.0, 3.0), (10.0, 2.0, 6.0))


def test_what_is_not_finite_is_not_drawn() -> None:
    assert series("x", [(0.0, math.nan), (1.0, 2.0), (2.0, math.inf)]).points == ((1.0, 2.0),)
