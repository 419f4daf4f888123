"""Axes: from values to places, and which values are written beside them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from guanyu_mpi.report.numerals import number, power_of_ten

# A linear axis where values stay within so many times the least; beyond, small ones vanish.
RATIO_MAX = 50.0
TICKS_MAX = 6


class Axis(Protocol):
    """Places from 0, where an axis begins, to 1."""

    def place(self, value: float) -> float | None:
        """Where a value is; None where it has no place."""

    def ticks(self) -> list[tuple[float, str]]:
        """Places and what is written there."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Equal steps for equal differences."""

    low: float
    high: float

    def place(self, value: float) -> float | None:
        """Where a value is."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values, at most six."""
        step = _round_step((self.high - self.low) / (TICKS_MAX - 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        decimals = max(0, -math.floor(math.log10(step)))
        found = []
        for count in range(first, last + 1):
            value = count * step
            plain = decimals <= 4 and abs(value) < 1e6
            wording = f"{value:,.{decimals}f}".replace("-", "−") if plain else number(value, 2)
            found.append(((value - self.low) / (self.high - self.low), wording))
        return found


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """Equal steps for equal ratios, in powers of ten; `zero` keeps a place for 0 at the bottom."""

    low: int
    high: int
    zero: bool = False

    def place(self, value: float) -> float | None:
        """Where a value is; what is below 0 has no place."""
        if value < 0 or (value == 0 and not self.zero):
            return None
        if value == 0:
            return 0.0
        return self._above_zero((math.log10(value) - self.low) / (self.high - self.low))

    def ticks(self) -> list[tuple[float, str]]:
        """Powers of ten, at most six, and 0 if it has a place."""
        every = math.ceil((self.high - self.low) / (TICKS_MAX - 1))
        powers = range(self.low, self.high + 1, every)
        span = self.high - self.low
        found = [(self._above_zero((k - self.low) / span), power_of_ten(k)) for k in powers]
        return [(0.0, "0"), *found] if self.zero else found

    def _above_zero(self, place: float) -> float:
        return 0.12 + 0.88 * place if self.zero else place


def fitting(values: Iterable[float], *, log: bool | None = None) -> Axis:
    """An axis on which all values have a place; logarithmic if asked, or where they need it."""
    finite = [value for value in values if math.isfinite(value)]
    positive = [value for value in finite if value > 0]
    spread = bool(positive) and max(positive) > RATIO_MAX * min(positive)
    if positive and (log or (log is None and spread and min(finite) > 0)):
        low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
        return Logarithmic(low, max(high, low + 1), zero=min(finite) <= 0)
    return _linear(min(finite, default=0.0), max(finite, default=1.0))


def from_zero(high: float) -> Axis:
    """An axis from 0 to a value."""
    return Linear(0.0, high if high > 0 else 1.0)


def _linear(low: float, high: float) -> Linear:
    # So close together that they are one value but for rounding.
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = abs(low) / 10 or 1.0
        return Linear(low - room, low + room)
    step = _round_step((high - low) / (TICKS_MAX - 1))
    return Linear(math.floor(low / step) * step, math.ceil(high / step) * step)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... that is no smaller."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= least * (1 - 1e-9))
