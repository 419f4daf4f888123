"""Parameters as data: names, shapes and initialisers, from which numpy draws theta_0.

Servers need no more of a model than this, so nothing here imports torch (D13).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from guanyu_mpi.messages import Vector
from guanyu_mpi.seeds import stream


@dataclass(frozen=True, slots=True)
class Constant:
    """Every coordinate starts at `value`."""

    value: float


@dataclass(frozen=True, slots=True)
class Normal:
    """Coordinates are normal with mean 0 and standard deviation `std`."""

    std: float


@dataclass(frozen=True, slots=True)
class TruncatedNormal:
    """As Normal, but what falls beyond 2 std is drawn again (TensorFlow's truncated normal)."""

    std: float


Init: TypeAlias = Constant | Normal | TruncatedNormal


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter tensor of a model."""

    name: str
    shape: tuple[int, ...]
    init: Init

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return math.prod(self.shape)


def dimension(parameters: Sequence[Parameter]) -> int:
    """Number of coordinates d of all parameters."""
    return sum(parameter.size for parameter in parameters)


def initial_vector(parameters: Sequence[Parameter], seed: int, model: str) -> Vector:
    """theta_0 (d,): the parameters one after the other, each from a stream of its own name."""
    parts = [
        _draw(parameter, stream(seed, "model", model, parameter.name)) for parameter in parameters
    ]
    return np.concatenate(parts)


def _draw(parameter: Parameter, generator: np.random.Generator) -> Vector:
    init = parameter.init
    if isinstance(init, Constant):
        return np.full(parameter.size, init.value, np.float32)
    values = generator.standard_normal(parameter.size, np.float32)
    if isinstance(init, TruncatedNormal):
        _redraw_beyond_two(values, generator)
    return values * np.float32(init.std)


def _redraw_beyond_two(values: Vector, generator: np.random.Generator) -> None:
    """Replace, in place, what lies beyond 2; each pass leaves 4.6 % of it on average."""
    beyond = np.flatnonzero(np.abs(values) > 2)
    while beyond.size:
        values[beyond] = generator.standard_normal(beyond.size, np.float32)
        beyond = beyond[np.abs(values[beyond]) > 2]
