"""Krum and Multi-Krum: which vectors they choose."""

import float64_reference as reference
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from guanyu_mpi.aggregation import krum as rule
from guanyu_mpi.aggregation.kernels import NumpyKernels
from guanyu_mpi.aggregation.krum import krum_scores
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.seeds import stream

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]

SIZES = [(3, 0), (5, 1), (6, 1), (7, 2), (13, 5), (20, 6)]


def krum(vectors: Float32s, f: int) -> Float32s:
    return rule.krum(Points(list(vectors), NumpyKernels()), f)


def multi_krum(vectors: Float32s, f: int, m: int | None = None) -> Float32s:
    return rule.multi_krum(Points(list(vectors), NumpyKernels()), f, m)


def krum_selection(vectors: Float32s, f: int, m: int) -> npt.NDArray[np.intp]:
    return rule.krum_selection(Points(list(vectors), NumpyKernels()).squared, f, m)


def honest(n: int, d: int, spread: float, *path: str | int) -> Float32s:
    """Vectors with a large common part and small differences, as models have."""
    rng = stream(3, "krum", n, d, *path)
    return (rng.standard_normal(d) + spread * rng.standard_normal((n, d))).astype(np.float32)


def points(*values: float) -> Float64s:
    return np.array(values, dtype=np.float64)[:, None]


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-5])
@pytest.mark.parametrize("seed", range(3))
def test_order_of_scores_is_that_of_float64(n: int, f: int, spread: float, seed: int) -> None:
    vectors = honest(n, 20_000, spread, seed)
    order = reference.krum_order(vectors, f)
    for m in range(1, n + 1):
        assert krum_selection(vectors, f, m).tolist() == sorted(order[:m])


@pytest.mark.parametrize(("n", "f"), SIZES)
def test_order_of_scores_is_that_of_float64_under_attack(n: int, f: int) -> None:
    vectors = honest(n, 20_000, 1e-3, "attacked")
    # Near the honest mean, where the scores are closest to each other.
    vectors[:f] = vectors[f:].mean(axis=0) + 1.5 * vectors[f:].std(axis=0)
    vectors[:f] += 1e-5 * stream(3, "jitter", n).standard_normal((f, 20_000), dtype=np.float32)
    order = reference.krum_order(vectors, f)
    for m in range(1, n + 1):
        assert krum_selection(vectors, f, m).tolist() == sorted(order[:m])


@given(stnp.arrays(np.float64, (7, 3), elements=st.integers(-9, 9)), st.integers(0, 2))
def test_scores_of_whole_numbers_are_exact(vectors: Float64s, f: int) -> None:
    scores = krum_scores(reference.squared_distances(vectors), f)
    assert scores.tolist() == reference.krum_scores(vectors, f)
    assert krum_selection(vectors, f, m=1)[0] == reference.krum_order(vectors, f)[0]


def test_score_counts_n_minus_f_minus_2_others() -> None:
    # n = 7, f = 2: three others. With two or four of them another row would have the least score.
    vectors = points(0, 1, 2, 5, 7, 8, 11)
    assert krum_selection(vectors, 2, m=1).tolist() == [2]
    assert [int(np.argmin(_scores(vectors, neighbours))) for neighbours in (2, 3, 4)] == [1, 2, 3]


def test_distances_are_squared() -> None:
    # Plain distances would prefer another row.
    vectors = points(0, 1, 6, 9, 13)
    assert krum_selection(vectors, 1, m=1).tolist() == [3]
    assert int(np.argmin(_scores(vectors, 2, power=1))) == 1


def _scores(vectors: Float64s, neighbours: int, power: int = 2) -> Float64s:
    """Scores of points on a line with another number of neighbours or another power."""
    distances = np.sort(np.abs(vectors - vectors.T) ** power, axis=1)
    scores: Float64s = distances[:, 1 : neighbours + 1].sum(axis=1)
    return scores


def test_equal_scores_go_to_the_lower_row() -> None:
    # Scores 5, 2, 2, 2, 5.
    vectors = points(0, 1, 2, 3, 4)
    assert krum_selection(vectors, 1, m=1).tolist() == [1]
    assert krum_selection(vectors, 1, m=2).tolist() == [1, 2]
    assert krum_selection(vectors[::-1], 1, m=1).tolist() == [1]


def test_duplicates_are_each_others_nearest() -> None:
    # Three equal rows of five have score zero: no row may be left out for being equal.
    vectors = points(7, 3, 7, 1, 7)
    assert krum_selection(vectors, 1, m=3).tolist() == [0, 2, 4]


def test_krum_returns_one_of_the_vectors() -> None:
    vectors = honest(7, 100, 1.0)
    assert any(np.array_equal(krum(vectors, f=2), row) for row in vectors)


def test_multi_krum_of_one_is_krum() -> None:
    vectors = honest(7, 100, 1.0)
    assert np.array_equal(multi_krum(vectors, f=2, m=1), krum(vectors, f=2))


@pytest.mark.parametrize(("n", "f"), SIZES)
def test_multi_krum_averages_n_minus_f_minus_2_vectors_by_default(n: int, f: int) -> None:
    vectors = honest(n, 1000, 1e-3)
    expected = reference.multi_krum(vectors, f, m=n - f - 2)
    assert np.allclose(multi_krum(vectors, f), expected, rtol=1e-6, atol=1e-7)
    assert np.array_equal(multi_krum(vectors, f), multi_krum(vectors, f, m=n - f - 2))


@pytest.mark.parametrize(("n", "f"), SIZES)
@pytest.mark.parametrize("size", [10.0, 1e15, 1e30, 3e38])
def test_far_rows_are_never_selected(n: int, f: int, size: float) -> None:
    vectors = honest(n, 500, 0.1)
    attackers = stream(3, "far", n).choice(n, f, replace=False)
    vectors[attackers] = size
    assert not set(krum_selection(vectors, f, m=n - f - 2)) & set(attackers)


@pytest.mark.parametrize("place", range(5))
def test_one_enormous_row_does_not_change_which_of_the_others_is_best(place: int) -> None:
    # Its own distances count for nobody: each other row has three nearer ones, and two count.
    four = honest(4, 20_000, 1e-3)
    vectors = np.insert(four, place, np.float32(1e30), axis=0)
    best = reference.krum_order(four, f=0)[0]
    assert np.array_equal(krum(vectors, f=1), four[best])


def test_infinite_score_is_not_preferred_to_a_finite_one() -> None:
    vectors = points(1e200, 1, 2, 4, -1e200)
    assert krum_selection(vectors, 0, m=5).tolist() == [0, 1, 2, 3, 4]
    assert krum_selection(vectors, 1, m=3).tolist() == [1, 2, 3]


def test_rows_all_infinitely_far_apart_still_give_one_of_them() -> None:
    vectors = points(1e200, -1e200, 1e190, -1e190, 1e250)
    assert krum(vectors, f=1) in vectors


@pytest.mark.parametrize(("n", "f"), SIZES)
def test_selection_moves_with_the_rows(n: int, f: int) -> None:
    vectors = honest(n, 2000, 1e-2)
    order = stream(3, "order", n).permutation(n)
    moved = krum_selection(vectors[order], f, m=n - f - 2)
    assert sorted(order[moved]) == krum_selection(vectors, f, m=n - f - 2).tolist()


@given(
    stnp.arrays(np.float64, (6, 2), elements=st.integers(-50, 50)),
    st.integers(-1000, 1000),
    st.integers(-20, 20),
)
def test_selection_ignores_translation_and_scale(
    vectors: Float64s, shift: int, exponent: int
) -> None:
    assume(len(set(reference.krum_scores(vectors, 1))) == 6)
    selected = krum_selection(vectors, 1, m=3).tolist()
    assert krum_selection(vectors + shift, 1, m=3).tolist() == selected
    assert krum_selection(vectors * 2.0**exponent, 1, m=3).tolist() == selected


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e10])
def test_selection_of_float32_vectors_ignores_their_scale(scale: float) -> None:
    vectors = honest(9, 1000, 1.0)
    scaled = vectors * np.float32(scale)
    assert np.array_equal(krum_selection(scaled, 3, m=4), krum_selection(vectors, 3, m=4))
