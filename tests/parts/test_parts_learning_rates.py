"""Learning rates: functions of the step."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.schedules import SCHEDULES, bind_schedule

steps = st.integers(0, 10**9)


@given(step=steps)
def test_the_constant_rate_is_the_same_at_every_step(step: int) -> None:
    assert bind_schedule("constant", 0.3)(step) == 0.3


@pytest.mark.parametrize(("step", "rate"), [(0, 0.4), (50, 0.2), (100, 0.4 / 3), (150, 0.1)])
def test_the_inverse_time_rate_halves_at_the_half_life(step: int, rate: float) -> None:
    schedule = bind_schedule("inverse-time", 0.4, half_life=50.0)
    assert schedule(step) == pytest.approx(rate, rel=1e-15)


def test_the_half_life_is_a_thousand_steps_unless_it_is_chosen() -> None:
    assert bind_schedule("inverse-time", 1.0)(1000) == 0.5


def test_the_inverse_time_rate_meets_the_conditions_of_robbins_and_monro() -> None:
    """The sum diverges like half_life * log(t), the sum of squares converges."""
    schedule = bind_schedule("inverse-time", 1.0, half_life=2.0)
    rates = [schedule(step) for step in range(100_000)]
    growth = math.fsum(rates) - math.fsum(rates[:50_000])
    assert growth == pytest.approx(2.0 * math.log(2), rel=1e-3)
    assert math.fsum(rate**2 for rate in rates[50_000:]) < 1e-4


@given(
    name=st.sampled_from(sorted(SCHEDULES)),
    rate=st.floats(1e-9, 1e9),
    step=steps,
)
def test_every_rate_is_positive_and_at_most_the_first(name: str, rate: float, step: int) -> None:
    schedule = bind_schedule(name, rate)
    assert schedule(0) == rate
    assert 0 < schedule(step + 1) <= schedule(step) <= rate


def test_an_unknown_schedule_is_told() -> None:
    with pytest.raises(ConfigError, match=r"unknown schedule 'cosine'; known: constant, "):
        bind_schedule("cosine", 0.1)


@pytest.mark.parametrize("half_life", [0.0, -1.0, math.inf, math.nan])
def test_a_half_life_must_be_positive(half_life: float) -> None:
    with pytest.raises(ConfigError, match=r"half_life = .* must be > 0"):
        bind_schedule("inverse-time", 0.1, half_life=half_life)


def test_all_wrong_options_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        bind_schedule("inverse-time", 0.1, half_life=0, halflife=1, warmup=5)
    assert len(caught.value.faults) == 3
