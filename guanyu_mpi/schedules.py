"""Learning rates: functions from the step to the rate."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from guanyu_mpi.errors import ConfigError, unknown

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
    """Bind a schedule of SCHEDULES to its initial rate and options: step -> learning rate.

    ConfigError for an unknown one of either, and for an option that is not positive.
    """
    if name not in SCHEDULES:
        raise ConfigError(unknown("schedule", name, SCHEDULES))
    function = SCHEDULES[name]
    known = [key for key in inspect.signature(function).parameters if key not in {"step", "rate"}]
    faults = [
        unknown(f"option of schedule {name!r}:", key, known) for key in options if key not in known
    ]
    faults += [
        f"option {key} = {options[key]} of schedule {name!r}: must be > 0"
        for key in known
        if key in options and not 0 < options[key] < math.inf
    ]
    if faults:
        raise ConfigError(*faults)
    return partial(function, rate=rate, **options)
