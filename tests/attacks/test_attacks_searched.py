"""Attackers that try out the rule in use."""

from collections.abc import Sequence

import numpy as np
import pytest
from attack_harness import draws, sent, vector, view_of

from guanyu_mpi.aggregation import bind
from guanyu_mpi.attacks import Crowd
from guanyu_mpi.attacks.searched import worst_factor
from guanyu_mpi.messages import Vector

HONEST, ATTACKERS = 8, 5


def crowd_with(rule: str) -> Crowd:
    aggregator = bind(rule, n=HONEST + ATTACKERS, f=ATTACKERS)
    return Crowd(
        18, ATTACKERS, HONEST + ATTACKERS, lambda _: lambda rows: aggregator(np.stack(rows))
    )


def damage_of(rule: str, vectors: Sequence[Vector], lie: Vector) -> float:
    result = crowd_with(rule).prepared([])([*vectors, *[lie] * ATTACKERS])
    return float(np.linalg.norm(result - np.mean(vectors, axis=0)))


@pytest.mark.parametrize("edge", [0.3, 1.0, 2.7, 60.0])
def test_the_search_goes_to_the_edge_at_which_the_rule_sees_through_it(edge: float) -> None:
    found = worst_factor(lambda factor: factor if factor <= edge else 0.0, 24)
    assert 0.99 * edge < found <= edge


def test_the_search_asks_as_often_as_it_may_and_once_for_no_attack() -> None:
    asked: list[float] = []

    def damage(factor: float) -> float:
        asked.append(factor)
        return factor

    assert worst_factor(damage, 5) == 1 + 2 + 4 + 8 + 16
    assert asked == [0, 1, 3, 7, 15, 31]


@pytest.mark.parametrize("rule", ["multi-krum", "krum", "median", "trimmed-mean"])
@pytest.mark.parametrize(
    ("searched", "plain", "option"),
    [("opt-alie", "alie", "z"), ("opt-ipm", "ipm", "epsilon")],
)
def test_what_is_searched_for_is_no_worse_than_a_grid(
    rule: str, searched: str, plain: str, option: str
) -> None:
    """Up to a tenth: a stride that is halved may pass a narrow peak by."""
    vectors = draws(HONEST)
    view = view_of(vectors, crowd=crowd_with(rule))
    found = damage_of(rule, vectors, sent(searched, view))
    grid = [
        damage_of(rule, vectors, sent(plain, view, **{option: factor}))
        for factor in (0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0)
    ]
    assert found >= 0.9 * max(grid)


def test_the_search_does_not_send_what_a_receiver_would_refuse() -> None:
    """The average follows wherever it is led, up to what a number can be."""
    lie = sent("opt-ipm", view_of([vector(1e30, 2e30)] * 3), evaluations=200)
    assert np.isfinite(lie).all()
    assert np.abs(lie).max() > 1e37
