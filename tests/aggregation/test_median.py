"""The median and the order statistics that it is made of."""

import float64_reference as reference
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from guanyu_mpi.aggregation.kernels import NumpyKernels
from guanyu_mpi.aggregation.kernels.network import selection_network
from guanyu_mpi.aggregation.kernels.ranks import ranked_blocks
from guanyu_mpi.seeds import stream

Float32s = npt.NDArray[np.float32]

FINITE_VECTORS = stnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 20), st.integers(0, 6)),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)
# Few values, so that equal ones are common.
COARSE_VECTORS = stnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 20), st.integers(1, 6)),
    elements=st.integers(-2, 2),
)


def normal(n: int, d: int, *path: str | int) -> Float32s:
    return stream(1, "median", n, d, *path).standard_normal((n, d), dtype=np.float32)


def median(vectors: Float32s) -> Float32s:
    return NumpyKernels().median(list(vectors))


def order_statistics(vectors: Float32s, ranks: range) -> Float32s:
    found = np.empty((len(ranks), vectors.shape[1]), dtype=vectors.dtype)
    for columns, ranked in ranked_blocks(vectors, ranks):
        found[:, columns] = ranked
    return found


@pytest.mark.parametrize("n", range(1, 13))
def test_network_sorts_every_sequence_of_zeros_and_ones(n: int) -> None:
    # The 0-1 principle (Knuth 5.3.4, theorem Z): it then sorts everything.
    every = (np.arange(2**n) >> np.arange(n)[:, None] & 1).astype(np.float32)
    assert np.array_equal(order_statistics(every, range(n)), np.sort(every, axis=0))


@pytest.mark.parametrize("n", range(1, 10))
def test_network_pruned_to_one_rank_still_finds_it(n: int) -> None:
    every = (np.arange(2**n) >> np.arange(n)[:, None] & 1).astype(np.float32)
    for rank in range(n):
        found = order_statistics(every, range(rank, rank + 1))
        assert np.array_equal(found[0], np.sort(every, axis=0)[rank]), rank


@pytest.mark.parametrize("n", [13, 25, 31, 32, 33, 47, 64, 65])
def test_network_sorts_large_numbers_of_rows(n: int) -> None:
    vectors = normal(n, 300)
    assert np.array_equal(order_statistics(vectors, range(n)), np.sort(vectors, axis=0))


@pytest.mark.parametrize(
    ("n", "operations"), [(1, 0), (2, 2), (3, 4), (13, 68), (19, 132), (33, 306)]
)
def test_network_of_the_median_keeps_only_what_the_median_needs(n: int, operations: int) -> None:
    network = selection_network(n, frozenset({(n - 1) // 2, n // 2}))
    assert sum(step.writes_first + step.writes_second for step in network) == operations


@given(FINITE_VECTORS)
def test_median_is_the_correctly_rounded_float64_median(vectors: Float32s) -> None:
    expected = reference.median(vectors).astype(np.float32)
    assert np.array_equal(median(vectors), expected)


@given(COARSE_VECTORS)
def test_median_counts_equal_values_as_often_as_they_occur(vectors: Float32s) -> None:
    assert np.array_equal(median(vectors), reference.median(vectors))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12, 13, 40])
@pytest.mark.parametrize("d", [32_767, 32_768, 32_769, 100_003])
def test_median_is_right_across_the_borders_of_blocks(n: int, d: int) -> None:
    vectors = normal(n, d)
    assert np.array_equal(median(vectors), reference.median(vectors).astype(np.float32))


def test_median_of_float64_vectors_keeps_their_precision() -> None:
    vectors = 1 + 1e-12 * stream(1, "median of float64").standard_normal((13, 50))
    assert np.array_equal(median(vectors), reference.median(vectors))


def test_median_of_an_odd_number_is_a_value_of_the_column() -> None:
    assert median(np.array([[5.0, 0.0], [1.0, 7.0], [3.0, 9.0]])).tolist() == [3, 7]


def test_median_of_an_even_number_is_the_mean_of_the_two_middle_values() -> None:
    assert median(np.array([[5.0, 0.0], [1.0, 7.0], [2.0, 9.0], [8.0, 8.0]])).tolist() == [
        3.5,
        7.5,
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_median_of_the_largest_values_does_not_overflow(dtype: type[np.float32]) -> None:
    largest = np.finfo(dtype).max
    vectors = np.array([[largest, -largest, 3.0], [largest, -largest, 5.0]], dtype=dtype)
    assert median(vectors).tolist() == [largest, -largest, 4.0]


def test_median_of_the_least_values_does_not_vanish() -> None:
    least = np.finfo(np.float32).smallest_subnormal
    assert median(np.full((4, 1), least))[0] == least


@st.composite
def _attacked(draw: st.DrawFn) -> tuple[Float32s, Float32s]:
    """Honest rows, and the same with f arbitrary finite ones among them; n >= 2f + 1."""
    f = draw(st.integers(0, 6))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    honest = draw(stnp.arrays(np.float32, (draw(st.integers(f + 1, f + 5)), 4), elements=finite))
    byzantine = draw(stnp.arrays(np.float32, (f, 4), elements=finite))
    together = np.concatenate([honest, byzantine])
    return honest, together[draw(st.permutations(range(len(together))))]


@given(_attacked())
@settings(max_examples=200)
def test_median_stays_within_the_honest_values_whatever_f_others_send(
    case: tuple[Float32s, Float32s],
) -> None:
    honest, vectors = case
    result = median(vectors)
    assert (result >= honest.min(axis=0)).all()
    assert (result <= honest.max(axis=0)).all()


@pytest.mark.parametrize("n", [4, 5])
def test_median_leaves_the_honest_values_when_more_than_half_collude(n: int) -> None:
    # The other side of the bound: n >= 2f + 1 is not cautious but exact.
    vectors = normal(n, 10)
    vectors[: n // 2 + 1] = 1e6
    assert (median(vectors) > vectors[n // 2 + 1 :].max(axis=0)).all()


@given(FINITE_VECTORS)
def test_median_of_the_negatives_is_the_negative_median(vectors: Float32s) -> None:
    assert np.array_equal(median(-vectors), -median(vectors))


def test_median_of_columns_taken_apart_is_the_median_of_them_together() -> None:
    vectors = normal(9, 5)
    apart = [median(vectors[:, [column]])[0] for column in range(5)]
    assert median(vectors).tolist() == apart
