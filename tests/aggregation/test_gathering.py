"""Aggregation arrival by arrival: the same bits as all at once, whatever came when."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import numpy.typing as npt
import pytest

from guanyu_mpi.aggregation import PRE, RULES, bind
from guanyu_mpi.aggregation.gathering import TOGETHER
from guanyu_mpi.aggregation.kernels import NumpyKernels, default_kernels
from guanyu_mpi.seeds import stream

Float32s = npt.NDArray[np.float32]

every_rule = pytest.mark.parametrize("name", sorted(RULES))
SIZES = pytest.mark.parametrize("n", [11, 12])


def arriving(n: int, d: int = 3000, spread: float = 1.0) -> list[Float32s]:
    rng = stream(5, "gathering", n, d)
    common = rng.standard_normal(d)
    return [(common + spread * rng.standard_normal(d)).astype(np.float32) for _ in range(n)]


@every_rule
@SIZES
@pytest.mark.parametrize("late", [0, 1, 2, 11])
@pytest.mark.parametrize("spread", [1.0, 1e-5])
def test_result_is_that_of_all_vectors_at_once(
    name: str, n: int, late: int, spread: float
) -> None:
    vectors = arriving(n, spread=spread)
    rule = bind(name, n=n, f=2)
    gathering = rule.gather()
    order = stream(5, "order", n).permutation(n)
    for k in order[late:]:
        gathering.add(vectors[int(k)])
    assert np.array_equal(gathering.combine(vectors), rule(np.stack(vectors)))


@pytest.mark.parametrize("pre", sorted(set(PRE) - {"clipping"}))
@pytest.mark.parametrize("name", ["median", "multi-krum"])
def test_result_after_a_preaggregation_is_that_of_all_at_once(pre: str, name: str) -> None:
    vectors = arriving(15)
    rule = bind(name, n=15, f=2, pre=[pre])
    gathering = rule.gather()
    for vector in vectors[::-1]:
        gathering.add(vector)
    assert np.array_equal(gathering.combine(vectors), rule(np.stack(vectors)))


@every_rule
def test_vectors_that_were_added_but_do_not_count_leave_no_trace(name: str) -> None:
    vectors, others = arriving(11), arriving(11, spread=9.0)
    rule = bind(name, n=11, f=2)
    gathering = rule.gather()
    for vector in [*others[:4], *vectors, *others[4:]]:
        gathering.add(vector)
    assert np.array_equal(gathering.combine(vectors), rule(np.stack(vectors)))


@every_rule
def test_a_vector_that_counts_twice_counts_twice(name: str) -> None:
    vectors = arriving(11)
    vectors[3] = vectors[7]
    rule = bind(name, n=11, f=2)
    gathering = rule.gather()
    for vector in vectors[:10]:
        gathering.add(vector)
    assert np.array_equal(gathering.combine(vectors), rule(np.stack(vectors)))


@SIZES
def test_median_is_one_clamp_after_the_last_arrival(n: int) -> None:
    kernels = Mock(wraps=NumpyKernels())
    vectors = arriving(n)
    gathering = bind("median", n=n, f=2, kernels=kernels).gather()
    for vector in vectors[:-1]:
        gathering.add(vector)
    assert kernels.ranked.call_count == 1
    kernels.reset_mock()
    gathering.add(vectors[-1])
    gathering.combine(vectors)
    assert {name for name, _, _ in kernels.mock_calls} <= {"clamp", "midpoint"}


@every_rule
@SIZES
def test_zeros_have_the_same_sign_whatever_came_when(name: str, n: int) -> None:
    zeros = stream(5, "zeros", n).choice(np.float32([0.0, -0.0, 1.0, -1.0]), (n, 1000))
    vectors = list(zeros)
    rule = bind(name, n=n, f=2)
    gathering = rule.gather()
    for k in stream(5, "order", n).permutation(n):
        gathering.add(vectors[int(k)])
    at_once = rule(np.stack(vectors))
    assert gathering.combine(vectors).tobytes() == at_once.tobytes()


@SIZES
def test_median_may_be_asked_for_twice(n: int) -> None:
    vectors = arriving(n)
    gathering = bind("median", n=n, f=2).gather()
    for vector in vectors[:-1]:
        gathering.add(vector)
    first = gathering.combine(vectors).copy()
    assert np.array_equal(gathering.combine(vectors), first)


@pytest.mark.parametrize(("n", "passes"), [(11, 2), (12, 3), (13, 3)])
def test_rule_on_distances_multiplies_four_arrivals_in_a_pass(n: int, passes: int) -> None:
    kernels = Mock(wraps=NumpyKernels())
    vectors = arriving(n)
    gathering = bind("multi-krum", n=n, f=2, kernels=kernels).gather()
    for vector in vectors:
        gathering.add(vector)
    assert kernels.dots.call_count == passes
    kernels.reset_mock()
    gathering.combine(vectors)
    # What is missing after the last arrival is one pass, or none.
    last = {"dots"} if n % TOGETHER else set()
    assert {name for name, _, _ in kernels.mock_calls} == {"combine"} | last
    assert kernels.dots.call_count == len(last)


def test_rule_on_distances_takes_all_products_at_once_of_vectors_that_it_does_not_know() -> None:
    kernels = Mock(wraps=NumpyKernels())
    gathering = bind("multi-krum", n=13, f=2, kernels=kernels).gather()
    gathering.combine(arriving(13))
    assert {name for name, _, _ in kernels.mock_calls} == {"products", "combine"}


@every_rule
def test_no_more_than_n_vectors_are_kept(name: str) -> None:
    gathering = bind(name, n=11, f=2).gather()
    for vector in arriving(50):
        gathering.add(vector)
    assert len(getattr(gathering, "_added", [])) <= 11


@every_rule
@SIZES
def test_a_rule_that_does_not_work_ahead_does_all_of_it_at_the_end(name: str, n: int) -> None:
    kernels = Mock(wraps=default_kernels())
    vectors = arriving(n)
    rule = replace(bind(name, n=n, f=2, kernels=kernels), ahead=False)
    gathering = rule.gather()
    for vector in vectors:
        gathering.add(vector)
    assert not kernels.mock_calls
    combined = gathering.combine(vectors)
    assert combined.tobytes() == bind(name, n=n, f=2)(np.stack(vectors)).tobytes()


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("late", [0, 1, 11])
def test_inner_products_that_a_rule_has_taken_can_be_had_of_it(late: int, ahead: bool) -> None:
    vectors = arriving(11)
    gathering = replace(bind("multi-krum", n=11, f=2), ahead=ahead).gather()
    assert gathering.products is None
    for vector in vectors[late:]:
        gathering.add(vector)
    gathering.combine(vectors)
    assert np.array_equal(gathering.products, default_kernels().products(vectors))


@pytest.mark.parametrize("ahead", [True, False])
def test_a_rule_without_distances_has_no_inner_products(ahead: bool) -> None:
    vectors = arriving(11)
    gathering = replace(bind("median", n=11, f=2), ahead=ahead).gather()
    for vector in vectors:
        gathering.add(vector)
    gathering.combine(vectors)
    assert gathering.products is None
