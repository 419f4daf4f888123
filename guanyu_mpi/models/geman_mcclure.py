"""A smooth nonconvex problem: steep near its minimum, ever flatter away from it.

The robust loss of Geman and McClure, "Statistical methods for tomographic image reconstruction",
1987. It needs neither torch nor data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from guanyu_mpi.models.analytic import Float64s
from guanyu_mpi.models.noisy import Noisy
from guanyu_mpi.models.options import Options


@dataclass(frozen=True, slots=True)
class GemanMcClureOptions:
    """f(x) = L/2 sum_i u_i^2 / (1 + u_i^2) of the offset u = x - x*."""

    dimension: int = 100
    L: float = 1.0
    # Standard deviation of the gradient's noise, per coordinate.
    sigma: float = 0.1

    def problem(self, seed: int) -> Noisy:
        """With x* drawn from the seed."""
        return Noisy(GemanMcClure(self), self.sigma, seed)


class GemanMcClure:
    """offset u -> L/2 sum_i u_i^2 / (1 + u_i^2), concave in u_i where |u_i| > 1/sqrt(3).

    Its curvature L (1 - 3 u^2) / (1 + u^2)^3 per coordinate lies between -L/4 and L.
    """

    name = "geman-mcclure"

    def __init__(self, options: GemanMcClureOptions) -> None:
        self.dimension = options.dimension
        self.L = options.L

    def value(self, offset: Float64s) -> float:
        """L/2 sum_i u_i^2 / (1 + u_i^2)."""
        squares = offset * offset
        return float(0.5 * self.L * (squares / (1 + squares)).sum())

    def slope(self, offset: Float64s) -> Float64s:
        """L u_i / (1 + u_i^2)^2, (d,)."""
        slope: Float64s = self.L * offset / (1 + offset * offset) ** 2
        return slope


def geman_mcclure_options(values: Mapping[str, object]) -> GemanMcClureOptions:
    """Check the user's options, all at once."""
    known = [field.name for field in fields(GemanMcClureOptions)]
    options = Options(GemanMcClure.name, values, known)
    default = GemanMcClureOptions()
    checked = GemanMcClureOptions(
        options.whole("dimension", default.dimension),
        options.positive("L", default.L),
        options.deviation("sigma", default.sigma),
    )
    options.check()
    return checked
