"""Vectors with a NaN or an infinity: left out, counted as Byzantine, or refused."""

import float64_reference as reference
import numpy as np
import numpy.typing as npt
import pytest

from guanyu_mpi.aggregation import RULES, bind
from guanyu_mpi.seeds import stream

Float32s = npt.NDArray[np.float32]

every_rule = pytest.mark.parametrize("name", sorted(RULES))


def normal(n: int, d: int, *path: str | int) -> Float32s:
    return stream(4, "rules", n, d, *path).standard_normal((n, d), dtype=np.float32)


@every_rule
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 3, 14])
def test_non_finite_vector_is_left_out_and_counted_as_byzantine(
    name: str, value: float, row: int
) -> None:
    vectors = normal(15, 100)
    vectors[row, 57] = value
    without = np.delete(vectors, row, axis=0)
    expected = bind(name, n=14, f=2)(without)
    assert np.array_equal(bind(name, n=15, f=3)(vectors), expected)


@every_rule
def test_as_many_non_finite_vectors_as_may_be_byzantine_are_left_out(name: str) -> None:
    vectors = normal(15, 100)
    vectors[[1, 2, 5]] = [[np.nan], [np.inf], [-np.inf]]
    expected = bind(name, n=12, f=0)(np.delete(vectors, [1, 2, 5], axis=0))
    assert np.array_equal(bind(name, n=15, f=3)(vectors), expected)


@every_rule
def test_more_non_finite_vectors_than_may_be_byzantine_are_refused(name: str) -> None:
    vectors = normal(11, 100)
    vectors[[1, 2, 5], 99] = np.nan
    expected = r"^3 of 11 vectors are not finite, rows \[1, 2, 5\]: more than the f = 2 that may"
    with pytest.raises(ValueError, match=expected):
        bind(name, n=11, f=2)(vectors)


@every_rule
def test_non_finite_vector_is_refused_when_nobody_may_be_byzantine(name: str) -> None:
    vectors = normal(5, 3)
    vectors[4, 0] = np.inf
    with pytest.raises(ValueError, match=r"rows \[4\]: more than the f = 0"):
        bind(name, n=5, f=0)(vectors)


def test_average_of_no_finite_vector_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rows \[0, 1\]: no vector is left to combine"):
        bind("average", n=2, f=2)(np.full((2, 3), np.nan))


@every_rule
def test_finite_vector_whose_sum_overflows_is_not_left_out(name: str) -> None:
    vectors = np.full((3, 4), 3e38, dtype=np.float32)
    assert np.allclose(bind(name, n=3, f=0)(vectors), 3e38)


def test_infinities_that_cancel_in_a_sum_are_found() -> None:
    vectors = np.array([[np.inf, -np.inf], [1.0, 2.0], [1.0, 2.0]])
    assert bind("median", n=3, f=1)(vectors).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("m", [1, 4])
def test_options_still_hold_when_vectors_are_left_out(m: int) -> None:
    vectors = normal(9, 100)
    vectors[0] = np.nan
    expected = reference.multi_krum(vectors[1:], f=2, m=m)
    result = bind("multi-krum", n=9, f=3, m=m)(vectors)
    assert np.allclose(result, expected, rtol=1e-5, atol=1e-6)
