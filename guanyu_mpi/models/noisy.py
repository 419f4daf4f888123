"""A known function of the offset from its minimum, whose gradients have normal noise added."""

from typing import Protocol

import numpy as np

from guanyu_mpi.messages import Vector
from guanyu_mpi.models.analytic import Constants, Float64s
from guanyu_mpi.models.objective import Evaluation
from guanyu_mpi.seeds import stream


class Shape(Protocol):
    """A smooth function of the offset (d,) that is 0 at 0 and nowhere less."""

    @property
    def name(self) -> str:
        """The model's name, and that of its random streams."""
        ...

    @property
    def dimension(self) -> int:
        """Number of parameters d."""
        ...

    @property
    def L(self) -> float:  # noqa: N802 - the paper's letter
        """The largest curvature there is."""
        ...

    def value(self, offset: Float64s) -> float:
        """The function."""
        ...

    def slope(self, offset: Float64s) -> Float64s:
        """Its gradient (d,)."""
        ...


class Noisy:
    """f(x) = shape(x - x*), with gradients slope(x - x*) + noise, where noise ~ N(0, sigma^2 I).

    `variance` = E |noise|^2 is exact; f(optimum) = 0 is the minimum.
    """

    def __init__(self, shape: Shape, sigma: float, seed: int) -> None:
        self.shape = shape
        self.dimension = shape.dimension
        self.variance = shape.dimension * sigma**2
        self._seed = seed
        self._sigma = sigma
        optimum = stream(seed, "model", shape.name, "optimum").standard_normal(self.dimension)
        self.optimum: Vector = optimum.astype(np.float32)

    @property
    def constants(self) -> Constants:
        """E|g|^2 = |grad f|^2 + variance, exactly."""
        return Constants(self.shape.L, low=0.0, A=0.0, B=1.0, C=self.variance)

    def gradient(self, params: Vector, worker: int, step: int) -> tuple[float, Vector]:
        """Noisy loss f(x) + noise . (x - x*) and its gradient (d,), which is the caller's."""
        offset = self._offset(params)
        noise = self._noise(worker, step)
        loss = float(self.shape.value(offset) + noise @ offset)
        return loss, (self.shape.slope(offset) + noise).astype(np.float32)

    def full_gradient(self, params: Vector) -> Float64s:
        """The gradient without noise, (d,)."""
        return self.shape.slope(self._offset(params))

    def evaluate(self, params: Vector) -> Evaluation:
        """The exact f(x), which is 0 at the optimum and nowhere else."""
        return Evaluation(self.shape.value(self._offset(params)), None)

    def _offset(self, params: Vector) -> Float64s:
        return params.astype(np.float64) - self.optimum

    def _noise(self, worker: int, step: int) -> Float64s:
        generator = stream(self._seed, "model", self.shape.name, "noise", worker, step)
        return self._sigma * generator.standard_normal(self.dimension)
