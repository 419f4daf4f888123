"""Learning rates: functions from the step to the rate."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

Schedule: TypeAlias = Callable[[int], float]


def constant(step: int, *, rate: float) -> float:
    """The same rate at every step; outside the theory, which wants sum rate^2 < infinity."""
    del step
    return rate


def inverse_time(step: int, *, rate: float, half_life: float = 1000.0) -> float:
    """rate / (1 + step / half_life): its sum diverges, its sum of squares does not.

    These are the conditions of Robbins and Monro (1951), which GuanYu's proof assumes.
    """
    return rate / (1.0 + step / half_life)


SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant,
    "inverse-time": inverse_time,
}


def bind_schedule(name: str, rate: float, **options: float) -> Schedule:
    """Bind a schedule of SCHEDULES to its initial rate and options: step -> learning rate."""
    return partial(SCHEDULES[name], rate=rate, **options)
