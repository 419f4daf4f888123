"""A quadratic problem of which everything is known: optimum, smoothness, variance.

For theory, fault campaigns and quick tests; it needs neither torch nor data.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from guanyu_mpi.errors import ConfigError, unknown
from guanyu_mpi.messages import Vector
from guanyu_mpi.models.objective import Evaluation
from guanyu_mpi.seeds import stream


@dataclass(frozen=True, slots=True)
class QuadraticOptions:
    """f(x) = 1/2 (x - x*)^T H (x - x*), H diagonal, eigenvalues log-spaced from mu to L."""

    dimension: int = 100
    mu: float = 0.1
    L: float = 1.0
    # Standard deviation of the gradient's noise, per coordinate.
    sigma: float = 0.1


class Quadratic:
    """The objective f, with gradients H (x - x*) + noise, where noise ~ N(0, sigma^2 I).

    smoothness L, mu and variance = E |noise|^2 are exact; f(optimum) = 0 is the minimum.
    """

    def __init__(self, options: QuadraticOptions, seed: int) -> None:
        self._seed = seed
        self._sigma = options.sigma
        self.dimension = options.dimension
        self.eigenvalues = np.geomspace(options.mu, options.L, options.dimension)
        self.mu = float(self.eigenvalues[0])
        self.L = float(self.eigenvalues[-1])
        self.variance = options.dimension * options.sigma**2
        optimum = stream(seed, "model", "quadratic", "optimum").standard_normal(self.dimension)
        self.optimum: Vector = optimum.astype(np.float32)

    def gradient(self, params: Vector, worker: int, step: int) -> tuple[float, Vector]:
        """Noisy loss f(x) + noise . (x - x*) and its gradient (d,), which is the caller's."""
        offset = self._offset(params)
        noise = self._noise(worker, step)
        loss = float(0.5 * offset @ (self.eigenvalues * offset) + noise @ offset)
        return loss, (self.eigenvalues * offset + noise).astype(np.float32)

    def evaluate(self, params: Vector) -> Evaluation:
        """The exact f(x), which is 0 at the optimum and nowhere else."""
        offset = self._offset(params)
        return Evaluation(float(0.5 * offset @ (self.eigenvalues * offset)), None)

    def _offset(self, params: Vector) -> npt.NDArray[np.float64]:
        return params.astype(np.float64) - self.optimum

    def _noise(self, worker: int, step: int) -> npt.NDArray[np.float64]:
        generator = stream(self._seed, "model", "quadratic", "noise", worker, step)
        return self._sigma * generator.standard_normal(self.dimension)


def quadratic_options(options: Mapping[str, object]) -> QuadraticOptions:
    """Check the user's options, all at once."""
    known = [field.name for field in fields(QuadraticOptions)]
    faults = [
        unknown("option of model 'quadratic':", key, known) for key in options if key not in known
    ]
    default = QuadraticOptions()
    dimension = options.get("dimension", default.dimension)
    if not isinstance(dimension, int) or isinstance(dimension, bool) or dimension < 1:
        faults.append(f"model.options.dimension = {dimension!r}: must be a whole number, >= 1")
        dimension = default.dimension
    mu = _number("mu", options, default.mu, faults)
    smoothness = _number("L", options, default.L, faults)
    sigma = _number("sigma", options, default.sigma, faults)
    if not 0 < mu <= smoothness:
        faults.append(
            f"model.options.mu = {mu} with model.options.L = {smoothness}: needs 0 < mu <= L"
        )
    if sigma < 0:
        faults.append(f"model.options.sigma = {sigma}: must be >= 0")
    if faults:
        raise ConfigError(*faults)
    return QuadraticOptions(dimension, mu, smoothness, sigma)


def _number(key: str, options: Mapping[str, object], default: float, faults: list[str]) -> float:
    """The finite number under a key; anything else is a fault, and the default stands in."""
    value = options.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        faults.append(f"model.options.{key} = {value!r}: must be a finite number")
        return default
    return float(value)
