"""The laws that every rule obeys on finite vectors."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from guanyu_mpi.aggregation import RULES, bind
from guanyu_mpi.seeds import stream

Float32s = npt.NDArray[np.float32]
# Or float64: the tests that take both do not depend on which.
Scalar = type[np.float32]

# Enough for every rule: the largest bound is 4f + 3.
SIZES = pytest.mark.parametrize("n", [11, 12])
F = 2

every_rule = pytest.mark.parametrize("name", sorted(RULES))
resilient_rule = pytest.mark.parametrize(
    "name", sorted(name for name, rule in RULES.items() if rule.resilient)
)
# The others compare lengths, which are distances from the origin.
WITHOUT_ORIGIN = sorted(set(RULES) - {"cge"})
# Every coordinate of the result lies between two honest ones, whatever f others send.
WITHIN_THE_HONEST_BOX = ("median", "trimmed-mean")


def normal(n: int, d: int, *path: str | int) -> Float32s:
    return stream(4, "rules", n, d, *path).standard_normal((n, d), dtype=np.float32)


@every_rule
@SIZES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_result_has_the_type_of_the_vectors(name: str, n: int, dtype: Scalar) -> None:
    result = bind(name, n=n, f=F)(normal(n, 10).astype(dtype))
    assert result.dtype == dtype
    assert result.shape == (10,)


@every_rule
@SIZES
def test_vectors_are_left_as_they_were(name: str, n: int) -> None:
    vectors = normal(n, 100)
    before = vectors.copy()
    vectors.flags.writeable = False
    bind(name, n=n, f=F)(vectors)
    assert np.array_equal(vectors, before)


@every_rule
@pytest.mark.parametrize("d", [0, 1, 100])
def test_result_shares_no_memory_with_the_vectors(name: str, d: int) -> None:
    least = RULES[name].min_n(0)
    vectors = normal(least, d)
    result = bind(name, n=least, f=0)(vectors)
    assert not np.shares_memory(result, vectors)
    assert result.flags.owndata
    assert result.flags.writeable


@every_rule
def test_result_is_not_changed_by_the_next_call(name: str) -> None:
    rule = bind(name, n=11, f=F)
    first = rule(normal(11, 50, "first"))
    kept = first.copy()
    rule(normal(11, 50, "second"))
    assert np.array_equal(first, kept)


@every_rule
@pytest.mark.parametrize("d", [0, 1])
def test_vectors_may_be_as_short_as_can_be(name: str, d: int) -> None:
    assert bind(name, n=11, f=F)(normal(11, d)).shape == (d,)


@every_rule
@SIZES
def test_result_ignores_the_order_of_senders(name: str, n: int) -> None:
    vectors = normal(n, 200)
    moved = vectors[stream(4, "order", n).permutation(n)]
    rule = bind(name, n=n, f=F)
    assert np.allclose(rule(moved), rule(vectors), rtol=1e-5, atol=1e-6)


@every_rule
def test_result_is_the_same_bits_every_time(name: str) -> None:
    vectors, rule = normal(13, 5000), bind(name, n=13, f=F)
    assert np.array_equal(rule(vectors), rule(vectors.copy()))


@pytest.mark.parametrize("name", WITHOUT_ORIGIN)
@SIZES
def test_result_moves_with_a_translation(name: str, n: int) -> None:
    vectors, shift = normal(n, 50).astype(np.float64), np.arange(50.0)
    rule = bind(name, n=n, f=F)
    assert np.allclose(rule(vectors + shift), rule(vectors) + shift, rtol=1e-7, atol=1e-7)


@every_rule
@pytest.mark.parametrize("scale", [2.0**-10, -1.0, -4.0, 0.0])
def test_result_scales_with_the_vectors(name: str, scale: float) -> None:
    vectors, rule = normal(12, 50).astype(np.float64), bind(name, n=12, f=F)
    expected = scale * rule(vectors)
    atol = 1e-9 * abs(scale)
    assert np.allclose(rule(scale * vectors), expected, rtol=1e-9, atol=atol)


@every_rule
@SIZES
def test_identical_vectors_give_that_vector(name: str, n: int) -> None:
    vector = normal(1, 100)[0]
    result = bind(name, n=n, f=F)(np.tile(vector, (n, 1)))
    assert np.allclose(result, vector, rtol=1e-6, atol=0)


@every_rule
def test_identical_vectors_of_all_but_f_give_about_that_vector(name: str) -> None:
    if not RULES[name].resilient:
        pytest.skip("an average is moved by any vector")
    vectors = np.tile(normal(1, 100)[0], (11, 1))
    vectors[3], vectors[9] = 1e3, -2e3
    result = bind(name, n=11, f=F)(vectors)
    assert np.allclose(result, vectors[0], rtol=1e-3, atol=1e-3)


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_largest_vectors_give_a_finite_result(name: str, dtype: Scalar) -> None:
    vectors: npt.NDArray[np.float32] = np.full((11, 3), np.finfo(dtype).max, dtype=dtype)
    vectors[:, 1] *= -1
    vectors[::2, 2] *= -1
    assert np.isfinite(bind(name, n=11, f=F)(vectors)).all()


@every_rule
def test_layout_in_memory_does_not_matter(name: str) -> None:
    vectors, rule = normal(11, 300), bind(name, n=11, f=F)
    expected = rule(vectors)
    spread = np.zeros((22, 600), dtype=np.float32)[::2, ::2]
    spread[...] = vectors
    assert np.array_equal(rule(spread), expected)
    assert np.array_equal(rule(np.asfortranarray(vectors)), expected)


@resilient_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1e4, -1e20, 3e38])
def test_f_arbitrary_vectors_cannot_carry_a_resilient_rule_away(
    name: str, value: float, dtype: Scalar
) -> None:
    vectors = normal(15, 100).astype(dtype)
    vectors[[0, 4, 8]] = value
    honest = np.delete(vectors, [0, 4, 8], axis=0).astype(np.float64)
    moved = bind(name, n=15, f=3)(vectors) - honest.mean(axis=0)
    radius = np.linalg.norm(honest - honest.mean(axis=0), axis=1).max()
    assert np.linalg.norm(moved) <= radius


@pytest.mark.parametrize("name", WITHIN_THE_HONEST_BOX)
@settings(deadline=None)
@given(
    stnp.arrays(
        np.float32,
        (11, 3),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_result_lies_within_the_honest_box_whatever_f_others_send(
    name: str, vectors: Float32s
) -> None:
    result = bind(name, n=11, f=F)(vectors).astype(np.float64)
    honest = vectors[F:]
    # A sum of n - 2f values is rounded as many times; below the normal numbers by no more.
    slack = 7 * np.finfo(np.float32).eps * np.abs(honest).max(axis=0).astype(np.float64) + 1e-43
    assert (result >= honest.min(axis=0) - slack).all()
    assert (result <= honest.max(axis=0) + slack).all()


def test_one_arbitrary_vector_carries_the_average_away() -> None:
    assert not RULES["average"].resilient
    vectors = normal(9, 100)
    vectors[0] = 1e4
    assert (bind("average", n=9, f=3)(vectors) > vectors[1:].max(axis=0)).all()


def test_average_is_the_float64_mean() -> None:
    vectors = normal(13, 200_000)
    expected = vectors.astype(np.float64).mean(axis=0)
    assert np.allclose(bind("average", n=13, f=0)(vectors), expected, rtol=0, atol=1e-6)
