"""A quadratic problem: strongly convex, with a known spectrum.

For theory, fault campaigns and quick tests; it needs neither torch nor data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from guanyu_mpi.models.analytic import Float64s
from guanyu_mpi.models.noisy import Noisy
from guanyu_mpi.models.options import Options


@dataclass(frozen=True, slots=True)
class QuadraticOptions:
    """f(x) = 1/2 (x - x*)^T H (x - x*), H diagonal, eigenvalues log-spaced from mu to L."""

    dimension: int = 100
    mu: float = 0.1
    L: float = 1.0
    # Standard deviation of the gradient's noise, per coordinate.
    sigma: float = 0.1

    def problem(self, seed: int) -> Noisy:
        """With x* drawn from the seed."""
        return Noisy(Quadratic(self), self.sigma, seed)


class Quadratic:
    """offset -> 1/2 offset^T H offset; its curvature lies between mu and L."""

    name = "quadratic"

    def __init__(self, options: QuadraticOptions) -> None:
        self.dimension = options.dimension
        self.eigenvalues = np.geomspace(options.mu, options.L, options.dimension)
        self.mu = float(self.eigenvalues[0])
        self.L = float(self.eigenvalues[-1])

    def value(self, offset: Float64s) -> float:
        """1/2 offset^T H offset."""
        return float(0.5 * offset @ (self.eigenvalues * offset))

    def slope(self, offset: Float64s) -> Float64s:
        """H offset, (d,)."""
        return self.eigenvalues * offset


def quadratic_options(values: Mapping[str, object]) -> QuadraticOptions:
    """Check the user's options, all at once."""
    options = Options(Quadratic.name, values, [field.name for field in fields(QuadraticOptions)])
    default = QuadraticOptions()
    dimension = options.whole("dimension", default.dimension)
    mu, smoothness = options.number("mu", default.mu), options.number("L", default.L)
    sigma = options.deviation("sigma", default.sigma)
    if not 0 < mu <= smoothness:
        options.fault(
            f"model.options.mu = {mu} with model.options.L = {smoothness}: needs 0 < mu <= L"
        )
    options.check()
    return QuadraticOptions(dimension, mu, smoothness, sigma)
