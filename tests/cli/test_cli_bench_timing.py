"""How `guanyu bench rules` measures: who takes part, for how long, and what is left out."""

from collections.abc import Callable

import numpy as np
import pytest

from guanyu_mpi.aggregation.kernels import NumpyKernels
from guanyu_mpi.bench.accuracy import distance_error
from guanyu_mpi.bench.contest import Key, bound, contest
from guanyu_mpi.bench.machine import available_bytes, memory_fault
from guanyu_mpi.bench.plan import TARGET_D, TARGET_N
from guanyu_mpi.bench.report import Contender, Timing
from guanyu_mpi.bench.rules import expected_s
from guanyu_mpi.bench.timing import called, interleaved


def test_contenders_take_turns_and_a_first_call_does_not_count() -> None:
    calls: list[str] = []
    trials = {name: called(lambda name=name: calls.append(name)) for name in "ab"}
    seconds = interleaved(trials, repeats=3, budget_s=60)
    assert calls == list("abababab")
    assert {name: len(counted) for name, counted in seconds.items()} == {"a": 3, "b": 3}


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def passes(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_slow_contender_leaves_the_others_alone_when_its_budget_is_spent() -> None:
    clock = Clock()
    trials = {"slow": called(lambda: clock.passes(20)), "fast": called(lambda: clock.passes(1))}
    seconds = interleaved(trials, repeats=5, budget_s=50, clock=clock)
    # The first of two calls does not count, and a third would exceed the budget.
    assert seconds == {"slow": (20,), "fast": (1,) * 5}


def test_a_first_call_counts_if_there_is_time_for_no_other() -> None:
    clock = Clock()
    trials = {"slow": called(lambda: clock.passes(20))}
    assert interleaved(trials, repeats=5, budget_s=0, clock=clock) == {"slow": (20,)}


def test_preparation_is_not_timed_but_uses_the_budget() -> None:
    clock = Clock()

    def prepared() -> Callable[[], None]:
        clock.passes(20)
        return lambda: clock.passes(1)

    assert interleaved({"all": prepared}, 5, 70, clock) == {"all": (1, 1)}


def test_everybody_works_on_the_same_vectors_and_comes_to_the_same_result() -> None:
    vectors = np.random.default_rng(1).standard_normal((5, 100), dtype=np.float32)
    trials = contest(bound(["median"], 5), vectors, fallback=["median"])
    once, last, fallback = (
        trials[Key("median", contender)]()()
        for contender in (Contender.ONE_SHOT, Contender.LAST_ARRIVAL, Contender.FALLBACK)
    )
    expected = np.median(vectors, axis=0)
    for result in (once, last, fallback):
        np.testing.assert_array_equal(result, expected)
    assert Key("torch.median", Contender.TORCH) in trials


@pytest.mark.parametrize(("n", "f"), [(3, {"median": 0}), (13, {"median": 3, "bulyan": 2})])
def test_a_rule_is_told_a_quarter_or_as_many_as_it_tolerates(n: int, f: dict[str, int]) -> None:
    found = bound(f, n)
    assert {name: aggregator.f for name, aggregator in found.items()} == f


def test_a_rule_for_which_there_are_too_few_vectors_is_not_bound() -> None:
    assert set(bound(["krum", "median"], 2)) == {"median"}


def test_time_is_expected_to_grow_with_the_coordinates() -> None:
    before = [Timing("median", Contender.ONE_SHOT, TARGET_N, TARGET_D, (0.1,), 3)]
    assert expected_s(before, "median", Contender.ONE_SHOT, TARGET_N, 10 * TARGET_D) == 1.0
    assert expected_s(before, "median", Contender.ONE_SHOT, 5, TARGET_D) == 0
    assert expected_s(before, "median", Contender.FALLBACK, TARGET_N, TARGET_D) == 0


def test_what_memory_cannot_hold_is_left_out_with_the_reason() -> None:
    assert memory_fault(33, 25_000_000, 8_249_999_999).startswith("n = 33, d = 25,000,000 is left")
    assert memory_fault(33, 25_000_000, 8_250_000_000) == ""
    assert available_bytes() > 0


def test_distances_of_close_long_vectors_keep_the_digits_of_a_float32() -> None:
    assert 0 <= distance_error(5, 10_000, NumpyKernels()) <= 1e-6
    assert np.isfinite(distance_error(2, 1, NumpyKernels()))
