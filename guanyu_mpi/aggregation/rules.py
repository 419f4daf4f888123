"""The rules by name, and what each needs and promises."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

from guanyu_mpi.aggregation.aksel import aksel, nearest_fault
from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.average import average
from guanyu_mpi.aggregation.bulyan import bulyan
from guanyu_mpi.aggregation.caf import caf
from guanyu_mpi.aggregation.centered_clipping import centered_clipping, tau_fault
from guanyu_mpi.aggregation.cge import cge
from guanyu_mpi.aggregation.geometric_median import (
    geometric_median,
    iterations_fault,
    smoothing_fault,
)
from guanyu_mpi.aggregation.krum import krum, krum_eta, m_fault, multi_krum
from guanyu_mpi.aggregation.mda import mda
from guanyu_mpi.aggregation.median import median
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.aggregation.trimmed import meamed, phocas, trimmed_mean

# What is wrong with an option's value for (value, n, f), in the user's words; empty if nothing is.
OptionFault: TypeAlias = Callable[[object, int, int], str]


class RuleFunction(Protocol):
    """A rule on n finite vectors, of which f may be Byzantine; a rule may add options."""

    def __call__(self, points: Points[Row], f: int) -> Row:
        """Combine the vectors into one (d,), which shares no memory with them."""
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


class Forehand(Enum):
    """What a rule can use of the work that is done while a quorum fills."""

    NOTHING = "nothing"
    MIDDLES = "middles"
    PRODUCTS = "products"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's function and the conditions under which it keeps its promise."""

    function: RuleFunction
    min_n: Bound
    forehand: Forehand = Forehand.PRODUCTS
    # Whether f arbitrary vectors cannot move the result anywhere they like.
    resilient: bool = True
    options: Mapping[str, OptionFault] = field(default_factory=dict)
    # (n, f) -> the largest (standard deviation of a gradient) / ||mean gradient|| for which the
    # rule is known to be resilient; the deviation is over all coordinates, sqrt(d) sigma.
    deviation_max: Callable[[int, int], float] | None = None
    # (n, f) -> kappa: the result is no farther from the mean of any n - f vectors, squared, than
    # kappa times their mean squared distance from it. Allouah et al., AISTATS 2023.
    kappa: Callable[[int, int], float] | None = None


RULES: dict[str, Rule] = {
    "aksel": Rule(
        aksel, min_n=Bound(2, 1), forehand=Forehand.NOTHING, options={"m": nearest_fault}
    ),
    "average": Rule(average, min_n=Bound(0, 1), forehand=Forehand.NOTHING, resilient=False),
    "bulyan": Rule(bulyan, min_n=Bound(4, 3)),
    "caf": Rule(caf, min_n=Bound(2, 1)),
    "centered-clipping": Rule(
        centered_clipping,
        min_n=Bound(2, 1),
        options={"tau": tau_fault, "iterations": iterations_fault},
    ),
    "cge": Rule(cge, min_n=Bound(2, 1)),
    "geometric-median": Rule(
        geometric_median,
        min_n=Bound(2, 1),
        options={"iterations": iterations_fault, "smoothing": smoothing_fault},
        kappa=lambda n, f: 4 * (1 + f / (n - 2 * f)) ** 2,
    ),
    "krum": Rule(
        krum,
        min_n=Bound(2, 3),
        deviation_max=lambda n, f: 1 / krum_eta(n, f),
        kappa=lambda n, f: 6 * (1 + f / (n - 2 * f)),
    ),
    "mda": Rule(
        mda,
        min_n=Bound(2, 1),
        # Garfield's bound (Guerraoui et al., DSN 2021).
        deviation_max=lambda n, f: (n - f) / (2 * f) if f else math.inf,
    ),
    "meamed": Rule(meamed, min_n=Bound(2, 1), forehand=Forehand.NOTHING),
    "median": Rule(
        median,
        min_n=Bound(2, 1),
        forehand=Forehand.MIDDLES,
        # Garfield's bound for the median (El-Mhamdi et al., DSN 2021).
        deviation_max=lambda n, f: (n - f) ** -0.5,
        kappa=lambda n, f: 4 * (1 + f / (n - 2 * f)) ** 2,
    ),
    "multi-krum": Rule(
        multi_krum,
        min_n=Bound(2, 3),
        options={"m": m_fault},
        deviation_max=lambda n, f: 1 / krum_eta(n, f),
    ),
    "phocas": Rule(phocas, min_n=Bound(2, 1), forehand=Forehand.NOTHING),
    "trimmed-mean": Rule(
        trimmed_mean,
        min_n=Bound(2, 1),
        forehand=Forehand.NOTHING,
        kappa=lambda n, f: 6 * f / (n - 2 * f) * (1 + f / (n - 2 * f)),
    ),
}
