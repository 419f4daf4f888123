"""Squared distances: accurate where a plain product of vectors is not, whatever rows hold."""

from unittest.mock import Mock

import float64_reference as reference
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from guanyu_mpi.aggregation import distances
from guanyu_mpi.aggregation.arrays import Array
from guanyu_mpi.aggregation.distances import UNREACHABLE
from guanyu_mpi.aggregation.kernels import NumpyKernels
from guanyu_mpi.seeds import stream

Float32s = npt.NDArray[np.float32]

TOLERANCE = 1e-6


def squared_distances(vectors: Array) -> npt.NDArray[np.float64]:
    return distances.squared_distances(list(vectors), NumpyKernels())


def models(n: int, d: int, spread: float, *path: str | int) -> Float32s:
    """Vectors as parameters are: a large common part and small differences."""
    rng = stream(2, "models", n, d, *path)
    common = rng.standard_normal(d)
    return (common + spread * rng.standard_normal((n, d))).astype(np.float32)


def error(vectors: Array) -> float:
    measured = squared_distances(vectors)
    return reference.worst_relative_error(measured, reference.squared_distances(vectors))


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize(("n", "d"), [(2, 1), (3, 1000), (7, 79_510), (13, 200_000), (40, 20_000)])
def test_distances_have_six_digits_under_a_large_common_part(
    n: int, d: int, spread: float
) -> None:
    assert error(models(n, d, spread)) <= TOLERANCE


def test_product_without_a_centre_would_be_wrong_on_the_same_vectors() -> None:
    # What the centre is for; without this the test above might have no teeth.
    vectors = models(13, 200_000, 1e-3)
    products = (vectors @ vectors.T).astype(np.float64)
    lengths = products.diagonal()
    plain = lengths[:, None] + lengths - 2 * products
    truth = reference.squared_distances(vectors)
    np.fill_diagonal(plain, 0)
    assert reference.worst_relative_error(plain, truth) > 0.01


@pytest.mark.parametrize("size", [1e3, 1e15, 1e30, 3e38])
@pytest.mark.parametrize("row", range(5))
def test_one_enormous_row_leaves_the_distances_among_the_others_accurate(
    row: int, size: float
) -> None:
    vectors = models(5, 3000, 1e-3)
    vectors[row] = size
    others = np.delete(np.arange(5), row)
    measured = squared_distances(vectors)[np.ix_(others, others)]
    truth = reference.squared_distances(vectors[others])
    assert reference.worst_relative_error(measured, truth) <= TOLERANCE


@pytest.mark.parametrize("size", [1e3, 1e15, 1e30])
def test_two_enormous_rows_leave_the_others_accurate(size: float) -> None:
    vectors = models(7, 3000, 1e-3)
    vectors[:2, 1000:2000] = [[size], [-size]]
    measured = squared_distances(vectors)[2:, 2:]
    truth = reference.squared_distances(vectors[2:])
    assert reference.worst_relative_error(measured, truth) <= TOLERANCE


def test_products_that_are_given_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = list(models(5, 3000, 1.0))
    kernels = NumpyKernels()
    products = kernels.products(vectors)
    monkeypatch.setattr(kernels, "products", None)
    given = distances.squared_distances(vectors, kernels, products)
    assert np.array_equal(given, squared_distances(np.stack(vectors)))


def test_groups_far_from_each_other_are_accurate_inside() -> None:
    vectors = models(12, 5000, 1e-4)
    vectors[4:8] += 100
    vectors[8:] -= 1e4
    assert error(vectors) <= TOLERANCE


def test_every_row_may_need_its_own_turn_as_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each row is a million times farther from the rows after it than they are from each other.
    vectors = 10.0 ** -np.arange(0.0, 36.0, 6.0)[:, None] * np.ones((1, 64)) + 1e6
    vectors[3:] = vectors[3]
    turns = Mock(wraps=distances._from_products)
    monkeypatch.setattr(distances, "_from_products", turns)
    squared_distances(vectors)
    assert 1 < turns.call_count <= len(vectors) + 1


def test_long_vectors_that_are_close_need_a_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the second look the test of six digits would have no teeth.
    vectors = models(7, 3000, 1e-6)
    products = NumpyKernels().products(list(vectors))
    plain, doubtful = distances._from_products(products)
    truth = reference.squared_distances(vectors)
    assert doubtful[~np.eye(7, dtype=bool)].all()
    assert reference.worst_relative_error(plain, truth) > TOLERANCE
    assert error(vectors) <= TOLERANCE


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-30, 1e30])
def test_equal_rows_are_at_distance_zero(value: float) -> None:
    vectors = models(6, 2000, 0.1)
    vectors[[1, 4]] = vectors[3]
    vectors[[0, 5]] = value
    measured = squared_distances(vectors)
    assert measured[1, 3] == measured[1, 4] == measured[3, 4] == measured[0, 5] == 0


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e-22, 1e-18])
def test_tiny_differences_do_not_vanish_in_their_squares(scale: float) -> None:
    assert error(models(6, 500, 1.0) * np.float32(scale)) <= TOLERANCE


def test_distance_whose_square_overflows_is_unreachable() -> None:
    size = 1e200
    vectors = np.array([[0.0, 1.0], [1.0, 0.0], [size, -size], [-size, size]])
    measured = squared_distances(vectors)
    assert (measured[:2, 2:] == UNREACHABLE).all()
    assert measured[2, 3] == UNREACHABLE
    assert measured[0, 1] == 2


def test_distances_of_enormous_float32_vectors_are_finite() -> None:
    vectors = np.array([[0.0, 1.0], [1e30, -1e30], [-1e38, 1e38]], dtype=np.float32)
    assert error(vectors) <= TOLERANCE


def test_distances_among_the_largest_numbers_are_not_nan() -> None:
    largest = np.finfo(np.float64).max
    measured = squared_distances(np.array([[largest], [-largest], [0.0], [largest]]))
    assert not np.isnan(measured).any()
    assert measured[0, 3] == 0


@settings(deadline=None)
@given(
    stnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(0, 5)),
        elements=st.floats(-(2.0**40), 2.0**40, width=32),
    )
)
def test_distances_of_any_vectors_agree_with_float64(vectors: Float32s) -> None:
    assert error(vectors) <= TOLERANCE


@settings(deadline=None)
@given(
    stnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(0, 5)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_distances_are_symmetric_and_never_negative_nor_nan(vectors: Float32s) -> None:
    measured = squared_distances(vectors)
    assert np.array_equal(measured, measured.T)
    assert (measured >= 0).all()
    assert not measured.diagonal().any()
