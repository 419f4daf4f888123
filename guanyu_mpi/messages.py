"""What nodes send each other: a step and a flat vector."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Params:
    """Phase 1, server to workers: the parameters theta_t, shape (d,)."""

    step: int
    vector: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """Phase 2, worker to servers: a gradient estimate g_t, shape (d,)."""

    step: int
    vector: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """Phase 3, server to servers: theta_t - rate * F(gradients), not contracted, shape (d,)."""

    step: int
    vector: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Server to observer: estimates from the gradients of a step, laid out by resilience.py."""

    step: int
    vector: Vector


Message: TypeAlias = Params | Gradient | Update | Report
