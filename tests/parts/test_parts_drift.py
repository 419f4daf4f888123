"""How far servers are apart, and whether along one line."""

import math

import numpy as np
import pytest

from guanyu_mpi.drift import UNALIGNED, alignment, drift
from guanyu_mpi.messages import Vector


def models(*rows: tuple[float, ...]) -> list[Vector]:
    return [np.array(row, np.float32) for row in rows]


def test_drift_is_the_largest_difference_of_a_coordinate() -> None:
    assert drift(models((0.0, 1.0), (0.5, 4.0), (0.0, 1.0))) == 3.0


def test_models_along_a_line_are_aligned_whichever_way_it_goes() -> None:
    assert alignment(models((0.0, 0.0), (1.0, 2.0), (-3.0, -6.0))) == pytest.approx(1.0)


def test_the_two_largest_differences_count() -> None:
    """From (0, 0) to (3, 0) and to (0, 4) are 3 and 4, between these are 5."""
    assert alignment(models((0.0, 0.0), (3.0, 0.0), (0.0, 4.0))) == pytest.approx(4 / 5)


def test_a_difference_between_equal_models_counts_once() -> None:
    """Servers that heard the same votes are equal to the bit, which is no drift along a line."""
    a, b, c = (0.0, 0.0), (3.0, 0.0), (0.0, 4.0)
    assert alignment(models(a, a, b, b, c)) == pytest.approx(4 / 5)


def test_models_in_random_directions_are_unaligned() -> None:
    found = np.random.default_rng(1).normal(size=(6, 100_000)).astype(np.float32)
    assert alignment(list(found)) == pytest.approx(UNALIGNED, abs=0.02)


def test_small_differences_of_large_models_count_as_they_are() -> None:
    rows = np.full((3, 1000), 1000.0, np.float32)
    rows[1, :500] += 0.001
    rows[2, :500] += 0.002
    assert alignment(list(rows)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "rows",
    [
        (),
        ((1.0, 2.0),),
        ((1.0, 2.0),) * 4,
        ((1.0, 2.0), (3.0, 4.0)),
        ((1.0, 2.0), (3.0, 4.0)) * 2,
    ],
)
def test_there_is_no_alignment_of_fewer_than_three_models(
    rows: tuple[tuple[float, ...], ...],
) -> None:
    assert math.isnan(alignment(models(*rows)))


def test_there_is_no_drift_without_models() -> None:
    assert math.isnan(drift([]))
