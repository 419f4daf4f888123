"""What the options of attacks may be: each limit returns what a value must be, if it is not so."""

from collections.abc import Callable
from typing import TypeAlias

Limit: TypeAlias = Callable[[float], str]


def any_number(value: float) -> str:
    """Whatever."""
    del value
    return ""


def not_zero(value: float) -> str:
    """An attack that does something."""
    return "" if value else "must not be 0"


def positive(value: float) -> str:
    """Above 0."""
    return "" if value > 0 else "must be > 0"


def share(value: float) -> str:
    """A probability."""
    return "" if 0 <= value <= 1 else "must be from 0 to 1"


def whole(low: int, high: int) -> Limit:
    """A whole number within bounds."""

    def limit(value: float) -> str:
        inside = low <= value <= high and value == int(value)
        return "" if inside else f"must be a whole number from {low} to {high}"

    return limit
