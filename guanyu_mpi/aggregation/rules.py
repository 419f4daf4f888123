"""The rules by name, what each needs, and how a rule is bound to n and f."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from guanyu_mpi.aggregation.arrays import Array, without_unusable
from guanyu_mpi.aggregation.average import average
from guanyu_mpi.aggregation.krum import krum, m_fault, multi_krum
from guanyu_mpi.aggregation.median import median
from guanyu_mpi.errors import ConfigError, unknown


class RuleFunction(Protocol):
    """A rule on n finite vectors, of which f may be Byzantine; a rule may add options."""

    def __call__(self, vectors: Array, f: int) -> Array:
        """Combine the rows into one vector (d,), which shares no memory with them."""
        ...


class Aggregator(Protocol):
    """A rule bound to n and f: combines the vectors of n senders, (n, d) -> (d,)."""

    def __call__(self, vectors: Array, /) -> Array:
        """Combine the rows, in sender order; the result shares no memory with them."""
        ...


@dataclass(frozen=True, slots=True)
class Bound:
    """The least n for a given f, as slope * f + offset.

    >>> Bound(2, 3)(1), str(Bound(2, 3))
    (5, '2f + 3')
    """

    slope: int
    offset: int

    def __call__(self, f: int) -> int:
        """The least n that tolerates f."""
        return self.slope * f + self.offset

    def __str__(self) -> str:
        return f"{self.slope}f + {self.offset}" if self.slope else f"{self.offset}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's function and the conditions under which it keeps its promise."""

    function: RuleFunction
    min_n: Bound
    # Whether f arbitrary vectors cannot move the result anywhere they like.
    resilient: bool = True
    # For each option, what is wrong with (value, n, f) in the user's words; empty if nothing is.
    options: Mapping[str, Callable[[object, int, int], str]] = field(default_factory=dict)


RULES: dict[str, Rule] = {
    "average": Rule(average, min_n=Bound(0, 1), resilient=False),
    "krum": Rule(krum, min_n=Bound(2, 3)),
    "median": Rule(median, min_n=Bound(2, 1)),
    "multi-krum": Rule(multi_krum, min_n=Bound(2, 3), options={"m": m_fault}),
}


def bind(name: str, *, n: int, f: int, **options: object) -> Aggregator:
    """The rule of that name for n vectors of which f may be Byzantine; ConfigError if it cannot.

    What it returns takes finite or non-finite vectors: k non-finite ones are left out and the rule
    combines the n - k others, of which f - k may be Byzantine; more than f are a ValueError, and
    so is an array of another shape or type.

    >>> bind("median", n=3, f=1)(np.array([[1.0, 5.0], [2.0, 7.0], [np.inf, 0.0]])).tolist()
    [1.5, 6.0]
    """
    if name not in RULES:
        raise ConfigError(unknown("aggregation rule", name, RULES))
    rule = RULES[name]
    if faults := _faults(name, rule, n, f, options):
        raise ConfigError(*faults)

    def aggregate(vectors: Array, /) -> Array:
        _check(vectors, name, n)
        finite, byzantine = without_unusable(vectors, f)
        # The options have been checked above against those that this function has.
        return rule.function(finite, byzantine, **options)

    return aggregate


def _faults(name: str, rule: Rule, n: int, f: int, options: Mapping[str, object]) -> list[str]:
    """Everything that is wrong with these numbers and options; options are judged by good ones."""
    if f < 0:
        return [f"{name}: f = {f} is negative"]
    least = rule.min_n(f)
    if n < least:
        formula = str(rule.min_n)
        bound = formula if formula == str(least) else f"{formula} = {least}"
        return [f"{name} needs n >= {bound} vectors to tolerate f = {f}: n = {n}"]
    return [
        f"{name}: {fault}"
        for option, value in options.items()
        if (fault := _option_fault(rule, option, value, n, f))
    ]


def _option_fault(rule: Rule, option: str, value: object, n: int, f: int) -> str:
    if not rule.options:
        return f"has no option {option!r}, nor any other"
    if option not in rule.options:
        return unknown("option", option, rule.options)
    return rule.options[option](value, n, f)


def _check(vectors: Array, name: str, n: int) -> None:
    """Refuse what is not n vectors of a type that the rules know."""
    if not isinstance(vectors, np.ndarray) or vectors.dtype not in (np.float32, np.float64):
        kind = getattr(vectors, "dtype", type(vectors).__name__)
        raise ValueError(f"{name} combines numpy arrays of float32 or float64: got {kind}")
    if vectors.ndim != 2 or len(vectors) != n:
        raise ValueError(f"{name} is bound to n = {n}: needs shape ({n}, d), got {vectors.shape}")
