"""Laws of the rules and pre-aggregations that work on the geometry of the vectors."""

import numpy as np
import numpy.typing as npt
import pytest
from hostile_vectors import CASES, normal

from guanyu_mpi.aggregation import Aggregator, bind
from guanyu_mpi.messages import Vector
from guanyu_mpi.seeds import stream

N, F = 11, 2
# name -> whether the result moves with a translation
RULES = {
    "aksel": True,
    "bulyan": True,
    "caf": True,
    "centered-clipping": True,
    "cge": False,
    "geometric-median": True,
    "mda": True,
}
PRE = ("arc", "bucketing", "clipping", "nnm")
TAU = {"clipping": {"tau": 3.0}}

BOUND: dict[str, Aggregator] = {name: bind(name, n=N, f=F) for name in RULES} | {
    f"{name}, krum": bind(
        "krum", n=2 * N, f=F, pre=[name], pre_options=TAU if name in TAU else None
    )
    for name in PRE
}
every = pytest.mark.parametrize("name", sorted(BOUND))
every_rule = pytest.mark.parametrize("name", sorted(RULES))


def moderate(rule: Aggregator, *path: str | int) -> npt.NDArray[np.float64]:
    return normal(rule.n, "laws", *path)


@every
@pytest.mark.parametrize("case", CASES)
def test_result_is_finite_and_the_same_bits_every_time(name: str, case: str) -> None:
    rule = BOUND[name]
    vectors = CASES[case](rule.n, rule.f)
    result = rule(vectors)
    assert np.isfinite(result).all()
    assert np.array_equal(rule(vectors.copy()), result)


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 2, 6, 11])
def test_largest_vectors_give_a_finite_result(
    name: str, dtype: type[np.float32], rows: int
) -> None:
    rule = BOUND[name]
    vectors = moderate(rule, "largest").astype(dtype)
    vectors[:rows] = np.finfo(dtype).max
    vectors[:rows:2, 1] *= -1
    assert np.isfinite(rule(vectors)).all()


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smallest_vectors_give_a_finite_result(name: str, dtype: type[np.float32]) -> None:
    rule = BOUND[name]
    vectors = (moderate(rule, "smallest") * 10 * np.finfo(dtype).smallest_subnormal).astype(dtype)
    assert np.isfinite(rule(vectors)).all()


@every
def test_identical_vectors_give_that_vector(name: str) -> None:
    rule = BOUND[name]
    vector = 0.5 * moderate(rule, "identical")[0].astype(np.float32)
    result = rule(np.tile(vector, (rule.n, 1)))
    assert np.allclose(result, vector, rtol=1e-6, atol=0)


@every
def test_vectors_are_left_as_they_were(name: str) -> None:
    rule = BOUND[name]
    vectors = moderate(rule, "read-only")
    before = vectors.copy()
    vectors.flags.writeable = False
    result = rule(vectors)
    assert np.array_equal(vectors, before)
    assert not np.shares_memory(result, vectors)


@every
@pytest.mark.parametrize("seed", range(3))
def test_result_ignores_the_order_of_senders(name: str, seed: int) -> None:
    rule = BOUND[name]
    vectors = moderate(rule, "order", seed)
    order = stream(6, "law order", seed).permutation(rule.n)
    assert np.allclose(rule(vectors[order]), rule(vectors), rtol=1e-9, atol=1e-9)


@every_rule
@pytest.mark.parametrize("scale", [2.0**-10, -1.0, -4.0, 0.0])
def test_result_scales_with_the_vectors(name: str, scale: float) -> None:
    rule = BOUND[name]
    vectors = moderate(rule, "scale").astype(np.float32)
    expected = 0 * vectors[0] if scale == 0 else np.float32(scale) * rule(vectors)
    assert np.array_equal(rule(np.float32(scale) * vectors), expected)


@pytest.mark.parametrize("name", sorted(name for name, moves in RULES.items() if moves))
def test_result_moves_with_a_translation(name: str) -> None:
    rule = BOUND[name]
    vectors, shift = moderate(rule, "shift"), 10 * np.arange(6.0)
    assert np.allclose(rule(vectors + shift), rule(vectors) + shift, rtol=1e-10, atol=1e-10)


@every
def test_result_of_float32_is_that_of_float64(name: str) -> None:
    rule = BOUND[name]
    vectors = moderate(rule, "float32").astype(np.float32)
    result = rule(vectors)
    assert result.dtype == np.float32
    assert np.allclose(result, rule(vectors.astype(np.float64)), rtol=1e-5, atol=1e-5)


@every
@pytest.mark.parametrize("d", [0, 1])
def test_vectors_may_be_as_short_as_can_be(name: str, d: int) -> None:
    rule = BOUND[name]
    assert rule(moderate(rule, "short")[:, :d]).shape == (d,)


@every
def test_vectors_that_arrive_one_by_one_give_the_same_bits(name: str) -> None:
    rule = BOUND[name]
    vectors: list[Vector] = list(moderate(rule, "arrival").astype(np.float32))
    gathering = rule.gather()
    for k in stream(6, "arrival").permutation(rule.n)[:-1]:
        gathering.add(vectors[int(k)])
    assert np.array_equal(gathering.combine(vectors), rule(np.array(vectors)))


@every
def test_vectors_that_are_not_finite_are_left_out(name: str) -> None:
    rule = BOUND[name]
    vectors = moderate(rule, "not finite")
    vectors[3] = np.nan
    assert np.isfinite(rule(vectors)).all()
