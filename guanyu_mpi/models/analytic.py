"""A problem of which theory knows everything: exact gradient, smoothness, minimum and noise."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.messages import Vector
from guanyu_mpi.models.objective import Objective

Float64s: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Constants:
    """f is L-smooth, never below `low`, and E|g|^2 <= A (f - low) + B |grad f|^2 + C everywhere.

    The last is expected smoothness: Khaled and Richtarik, "Better theory for SGD in the nonconvex
    world", 2020, whose letters these are.
    """

    L: float
    low: float
    A: float
    B: float
    C: float


class Analytic(Objective, Protocol):
    """An objective that is its own data; `evaluate` tells the exact f."""

    @property
    def constants(self) -> Constants:
        """What holds at every point."""
        ...

    def full_gradient(self, params: Vector) -> Float64s:
        """The exact gradient (d,), of which `gradient` is an unbiased estimate."""
        ...


class AnalyticOptions(Protocol):
    """The checked options of such a problem."""

    @property
    def dimension(self) -> int:
        """Number of parameters d."""
        ...

    def problem(self, seed: int) -> Analytic:
        """The problem that these options and the run's seed define."""
        ...
