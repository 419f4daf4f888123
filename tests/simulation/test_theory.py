"""The bound of docs/theory.md on short runs; benchmarks/theory/bound.py compares long ones.

All seeds are fixed, so that what holds once holds always.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

# The study is no package that could be imported.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "theory"))

from bound import ATTACK, PROBLEMS, RULES
from theorem import (
    Point,
    Resilience,
    blocks,
    compare,
    general_bound,
    resilience,
    simple_bound,
    slope,
)
from trajectories import Setting, Trajectory, follow

from guanyu_mpi.models.analytic import Constants

SEEDS = range(3)
# Ten times as long as what an honest worker sends, and uphill: the average of six goes uphill.
FAR = {"name": "reverse", "options": {"scale": -10.0}}


def setting(label: str, rule: str, **changes: object) -> Setting:
    model, options, rate = PROBLEMS[label]
    return replace(Setting(label, model, options, rule, rate, ATTACK), **changes)


def runs(of: Setting, steps: int) -> list[Trajectory]:
    return [follow(of, steps, seed) for seed in SEEDS]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_under_attack_a_run_stays_under_the_bound(problem: str, rule: str) -> None:
    attacked = setting(problem, rule)
    point = compare(attacked, runs(attacked, 30))
    assert point.rate_is_small
    assert point.minimum < point.bound < point.simple_bound
    # No minimum over noise: the proof's own promise if A = 0, and kept here if not.
    assert point.mean < point.bound
    # Above 1 by no more than 6 x 3 gradients tell of an expectation.
    assert point.growth < 1.06


# Not of geman-mcclure: whoever is led astray there ends where it is flat.
@pytest.mark.parametrize("problem", ["quadratic", "logistic", "noisy quadratic"])
def test_averaging_under_attack_exceeds_the_bound_that_a_resilient_rule_keeps(
    problem: str,
) -> None:
    kept = setting(problem, "median", attack=FAR)
    point = compare(kept, runs(kept, 60))
    assert point.mean < point.bound
    averaging = replace(kept, rule="average")
    astray = compare(averaging, runs(averaging, 60))
    assert astray.minimum > point.bound
    # And the bound says so: for this rule there is none.
    assert astray.resilience.mu < 0
    assert astray.bound == float("inf")


# On geman-mcclure the first steps leave plateaus: so few are no power law.
@pytest.mark.parametrize("problem", ["quadratic", "logistic"])
def test_gradients_fall_at_least_as_fast_as_the_root_of_the_steps(problem: str) -> None:
    attacked = setting(problem, "median")
    points = [compare(attacked, runs(attacked, steps)) for steps in (5, 20, 80)]
    assert slope(points)[0] < -0.5


def test_the_outputs_of_the_rule_are_recovered_from_the_parameters() -> None:
    """Without noise and attack every F_k is the exact gradient."""
    quiet = setting("quadratic", "median", attack={}, byzantine=0)
    quiet = replace(quiet, options={**quiet.options, "sigma": 0.0})
    run = follow(quiet, 20, seed=1)
    assert run.products == pytest.approx(run.squares, rel=1e-4)
    assert run.outputs == pytest.approx(run.squares, rel=1e-4)
    assert run.estimates == pytest.approx(run.squares, rel=1e-6)


CONSTANTS = Constants(L=2.0, low=0.0, A=0.0, B=1.0, C=3.0)
HALF = Resilience(mu=0.5, c=0.25)


def test_without_a_the_general_form_is_three_times_sharper_in_the_gap() -> None:
    noise = 2.0 * 0.25 * 3.0 * 0.1 / 0.5
    assert general_bound(CONSTANTS, HALF, 5.0, 0.1, 40) == pytest.approx(10 / 2 + noise)
    assert simple_bound(CONSTANTS, HALF, 5.0, 0.1, 40) == pytest.approx(30 / 2 + noise)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_simple_form_is_no_sharper_than_the_general_one_wherever_it_holds(
    share: float,
) -> None:
    grown = replace(CONSTANTS, A=share * 2 / (2.0 * 0.25 * 0.1**2 * 40))
    simple = simple_bound(grown, HALF, 5.0, 0.1, 40)
    assert general_bound(grown, HALF, 5.0, 0.1, 40) <= simple < float("inf")
    beyond = replace(grown, A=1.01 * grown.A / share)
    assert simple_bound(beyond, HALF, 5.0, 0.1, 40) == float("inf")


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 13, 100, 4000])
def test_blocks_have_every_step_once(steps: int) -> None:
    covered = [step for block in blocks(steps) for step in range(steps)[block]]
    assert covered == list(range(steps))


def test_resilience_is_that_of_the_worst_block() -> None:
    ones = np.ones(8)
    late = np.array([1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5])
    run = Trajectory(CONSTANTS, ones, ones, products=late, outputs=2 * ones, estimates=ones / late)
    found = resilience([run, run])
    assert (found.mu, found.c) == (0.5, 2.0)


def test_the_slope_of_a_power_is_its_exponent() -> None:
    points = [_point(steps, 3.0 * steps**-0.5) for steps in (4, 40, 400)]
    value, error = slope(points)
    assert value == pytest.approx(-0.5)
    assert error == pytest.approx(0)


def _point(steps: int, minimum: float) -> Point:
    return Point(
        steps,
        minimum,
        minima_without=(minimum,) * 3,
        mean=minimum,
        resilience=HALF,
        bound=1.0,
        simple_bound=3.0,
        rate_is_small=True,
        growth=1.0,
        resilience_is_promised=True,
    )
