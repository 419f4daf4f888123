"""Estimates of what the theory assumes, against slow ones and against what is known."""

import math
from collections.abc import Sequence
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi import resilience
from guanyu_mpi.aggregation import RULES, bind
from guanyu_mpi.aggregation.kernels import default_kernels
from guanyu_mpi.aggregation.kernels.sums import BLOCK
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import parse_config
from guanyu_mpi.estimates import estimator
from guanyu_mpi.messages import Vector
from guanyu_mpi.resilience import (
    ABSENT,
    NUM_FIGURES,
    Resilience,
    estimate,
    from_vector,
    margin,
    num_numbers,
    to_vector,
)
from guanyu_mpi.simulation import simulate

FLOAT32_MAX = float(np.finfo(np.float32).max)


def gradients(n: int, d: int, *, norm: float, sigma: float, seed: int = 0) -> list[Vector]:
    """Honest gradients of a known true one, which has this length."""
    rng = np.random.default_rng(seed)
    true = norm / math.sqrt(d)
    return [(true + sigma * rng.standard_normal(d)).astype(np.float32) for _ in range(n)]


def slow_estimate(rows: Sequence[Vector], aggregate: Vector, f: int) -> Resilience:
    """By the definitions, in float64, one vector after another."""
    exact, ours = [row.astype(np.float64) for row in rows], aggregate.astype(np.float64)
    distances = [float(np.linalg.norm(row - ours)) for row in exact]
    order = sorted(range(len(rows)), key=lambda row: distances[row])
    nearest = order[: len(rows) - f]
    mean = sum(exact[row] for row in nearest) / len(nearest)
    variance = sum(float(np.linalg.norm(exact[row] - mean)) ** 2 for row in nearest)
    variance /= len(nearest) - 1
    squared = float(mean @ mean) - variance / len(nearest)
    return Resilience(
        noise=math.sqrt(variance),
        norm=math.sqrt(max(squared, 0.0)),
        alignment=float(ours @ mean / np.linalg.norm(ours) / np.linalg.norm(mean)),
        outlying=sum(distance > 2 * distances[nearest[-1]] for distance in distances),
        ranks=tuple(order.index(row) for row in range(len(rows))),
    )


@pytest.mark.parametrize("rule", ["krum", "multi-krum", "median", "trimmed-mean"])
@pytest.mark.parametrize("d", [1, 7, BLOCK - 1, BLOCK, 2 * BLOCK + 3])
def test_estimates_are_those_of_the_definitions(rule: str, d: int) -> None:
    rows = gradients(9, d, norm=3.0, sigma=0.5, seed=d)
    rows[4] = rows[4] * np.float32(-100)
    aggregate = bind(rule, n=9, f=2)(np.stack(rows))
    fast, slow = estimate(rows, aggregate, 2), slow_estimate(rows, aggregate, 2)
    assert fast.ranks == slow.ranks
    assert fast.outlying == slow.outlying
    for figure in ("noise", "norm", "alignment"):
        assert getattr(fast, figure) == pytest.approx(getattr(slow, figure), rel=1e-9, abs=1e-9)


def test_noise_and_length_of_the_gradient_are_found() -> None:
    """sqrt(d) sigma = 20, ||gradient|| = 5; the mean of 15 noisy ones has length 7.2."""
    rows = gradients(15, 10_000, norm=5.0, sigma=0.2)
    found = estimate(rows, np.mean(rows, axis=0), f=0)
    assert found.noise == pytest.approx(20.0, rel=0.02)
    assert found.norm == pytest.approx(5.0, rel=0.1)
    assert np.linalg.norm(np.mean(rows, axis=0)) > 7.0


def test_clear_outliers_do_not_change_the_estimates() -> None:
    rows = gradients(7, 1000, norm=5.0, sigma=0.1)
    aggregate = np.mean(rows, axis=0)
    honest = estimate(rows, aggregate, f=0)
    lies = [row * np.float32(-1e30) for row in rows[:2]]
    attacked = estimate([*rows, *lies], aggregate, f=2)
    assert attacked.outlying == 2
    assert sorted(attacked.ranks[7:]) == [7, 8]
    assert (attacked.noise, attacked.norm) == (honest.noise, honest.norm)


def test_honest_gradients_alone_are_no_outliers() -> None:
    rows = gradients(9, 1000, norm=1.0, sigma=1.0)
    assert estimate(rows, np.mean(rows, axis=0), f=2).outlying == 0


def test_a_margin_above_one_is_blanchards_condition() -> None:
    """eta sqrt(d) sigma < ||gradient||, at n = 18, f = 5: eta = 12.01."""
    deviation_max = RULES["multi-krum"].deviation_max
    assert deviation_max is not None
    # Of a gradient of length 1.
    assert margin(1 / 12.1, deviation_max(18, 5)) > 1
    assert margin(1 / 11.9, deviation_max(18, 5)) < 1


@pytest.mark.parametrize(
    ("noise", "norm", "deviation"),
    [(1.0, 4.0, 0.25), (1.0, 0.0, math.inf), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0)],
)
def test_a_gradient_that_is_lost_in_noise_deviates_without_end(
    noise: float, norm: float, deviation: float
) -> None:
    assert Resilience(noise, norm, 1.0, 0, ()).deviation == deviation


def test_equal_gradients_have_no_noise() -> None:
    rows = [np.full(5, 2.0, np.float32)] * 4
    found = estimate(rows, rows[0], f=1)
    assert (found.noise, found.deviation) == (0.0, 0.0)
    assert (found.alignment, found.outlying) == (pytest.approx(1.0), 0)


def test_zero_gradients_are_no_error() -> None:
    rows = [np.zeros(5, np.float32)] * 4
    assert estimate(rows, rows[0], f=1) == Resilience(0.0, 0.0, 0.0, 0, (0, 1, 2, 3))


def test_one_gradient_is_enough_for_an_estimate() -> None:
    row = np.ones(4, np.float32)
    assert estimate([row], row, f=0) == Resilience(0.0, 2.0, 1.0, 0, (0,))


def test_where_all_may_lie_the_nearest_is_estimated_from() -> None:
    rows = [np.full(4, value, np.float32) for value in (1.0, 3.0)]
    assert estimate(rows, rows[0], f=2) == Resilience(0.0, 2.0, 1.0, 1, (0, 1))


def test_nothing_is_reported_where_liars_can_be_as_many_as_the_honest() -> None:
    """One server that averages, which no bound forbids: a baseline that is not resilient."""
    baseline = parse_config(
        {
            "run": {"name": "baseline", "steps": 3},
            "cluster": {"servers": 1, "workers": 10, "byzantine_workers": 5},
            "model": {"name": "quadratic"},
            "train": {"learning_rate": 0.1},
            "aggregation": {"gradients": "average"},
        }
    )
    assert baseline.nodes.worker_quorum == baseline.nodes.byzantine_workers == 5
    assert estimator(baseline, Node(Role.SERVER, 0))(Mock()) is None
    assert simulate(baseline).unfinished(baseline) == []


def test_the_largest_floats_make_a_report_that_the_wire_takes() -> None:
    rows = [np.full(10, sign * FLOAT32_MAX, np.float32) for sign in (1, -1, 1, -1)]
    report = to_vector(estimate(rows, rows[0], f=1), range(4), workers=4)
    assert np.isfinite(report).all()


@pytest.mark.parametrize("rule", ["krum", "multi-krum"])
def test_estimates_are_the_same_with_products_that_the_rule_has_taken(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = Mock(wraps=default_kernels())
    rows = gradients(9, 3000, norm=3.0, sigma=0.5)
    gathering = bind(rule, n=9, f=2).gather()
    aggregate = gathering.combine(rows)
    at_once = estimate(rows, aggregate, 2)
    monkeypatch.setattr(resilience, "default_kernels", lambda: kernels)
    assert estimate(rows, aggregate, 2, gathering.products) == at_once
    assert kernels.products.call_count == 0
    assert kernels.dots.call_count == 1


def test_vectors_are_not_changed() -> None:
    rows = gradients(5, 100, norm=1.0, sigma=1.0)
    aggregate = rows[0].copy()
    before = [row.copy() for row in rows]
    estimate(rows, aggregate, f=1)
    assert np.array_equal(rows, before)
    assert np.array_equal(aggregate, before[0])


def test_a_report_makes_the_round_trip_with_ranks_by_worker() -> None:
    said = Resilience(0.5, 2.0, 0.25, 1, (2, 0, 1))
    report = to_vector(said, senders=[0, 2, 5], workers=6)
    assert report.shape == (num_numbers(6),)
    assert report.dtype == np.float32
    heard = from_vector(report, quorum=3)
    assert heard.ranks == (2, ABSENT, 0, ABSENT, ABSENT, 1)
    assert (heard.noise, heard.norm, heard.alignment, heard.outlying) == (0.5, 2.0, 0.25, 1)


@settings(deadline=None)
@given(
    numbers=st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False),
        min_size=NUM_FIGURES + 3,
        max_size=NUM_FIGURES + 3,
    )
)
def test_whatever_finite_numbers_a_report_has_they_are_brought_into_range(
    numbers: list[float],
) -> None:
    heard = from_vector(np.array(numbers, np.float32), quorum=5)
    assert 0 <= heard.noise <= FLOAT32_MAX
    assert 0 <= heard.norm <= FLOAT32_MAX
    assert -1 <= heard.alignment <= 1
    assert 0 <= heard.outlying <= 5
    assert all(ABSENT <= rank <= 4 for rank in heard.ranks)
    assert heard.deviation >= 0
