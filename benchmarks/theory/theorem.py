"""The bound of docs/theory.md, with mu and c measured on the runs that it is compared with."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from trajectories import Float64s, Setting, Trajectory

from guanyu_mpi.aggregation import RULES
from guanyu_mpi.models.analytic import Constants


@dataclass(frozen=True, slots=True)
class Resilience:
    """E<F, grad f> >= mu |grad f|^2 and E|F|^2 <= c E|g|^2."""

    mu: float
    c: float


@dataclass(frozen=True, slots=True)
class Point:
    """Measured and promised for one K; averages are over seeds."""

    steps: int
    # min over k < K of the average of |grad f(x_k)|^2, and the same without one seed each.
    minimum: float
    minima_without: tuple[float, ...]
    # The average over k as well, which is no minimum of noise; if A = 0 the proof bounds it, too.
    mean: float
    resilience: Resilience
    # The general form, and 6 delta_0 / (mu eta K) + L c C eta / mu.
    bound: float
    simple_bound: float
    # Whether the rate is as small as the theorem wants it.
    rate_is_small: bool
    # The largest E|g|^2 / (A delta + B |grad f|^2 + C).
    growth: float
    # Whether ||grad f|| is large enough beside the noise, at every step, for the rule's theorem;
    # None where we know of no such theorem.
    resilience_is_promised: bool | None

    @property
    def ratio(self) -> float:
        """Measured over bound."""
        return self.minimum / self.bound

    @property
    def broken(self) -> bool:
        """Whether the theorem speaks of this point and is wrong."""
        return self.rate_is_small and self.minimum > self.bound


def compare(setting: Setting, runs: Sequence[Trajectory]) -> Point:
    """Measure everything on runs of different seeds and equal length."""
    steps = len(runs[0].squares)
    rate = setting.rate / steps**0.5
    squares = np.stack([run.squares for run in runs])
    constants = worst(runs)
    found = resilience(runs)
    gap = float(np.mean([run.gaps[0] for run in runs]))
    return Point(
        steps,
        minimum=float(squares.mean(axis=0).min()),
        minima_without=tuple(
            float(np.delete(squares, seed, axis=0).mean(axis=0).min()) for seed in range(len(runs))
        ),
        mean=float(squares.mean()),
        resilience=found,
        bound=general_bound(constants, found, gap, rate, steps),
        simple_bound=simple_bound(constants, found, gap, rate, steps),
        rate_is_small=rate <= found.mu / (constants.L * found.c * constants.B),
        growth=_largest(runs, lambda run: run.estimates, _allowed),
        resilience_is_promised=_promised(setting, runs),
    )


def general_bound(
    constants: Constants, found: Resilience, gap: float, rate: float, steps: int
) -> float:
    """2 (1 + L c A eta^2/2)^K delta_0 / (mu eta K) + L c C eta / mu; infinite without mu > 0."""
    if found.mu <= 0:
        return float("inf")
    growth = (1 + constants.L * found.c * constants.A * rate**2 / 2) ** steps
    noise = constants.L * found.c * constants.C * rate / found.mu
    return 2 * growth * gap / (found.mu * rate * steps) + noise


def simple_bound(
    constants: Constants, found: Resilience, gap: float, rate: float, steps: int
) -> float:
    """6 delta_0 / (mu eta K) + L c C eta / mu; infinite where L c A eta^2 K > 2."""
    if found.mu <= 0 or constants.L * found.c * constants.A * rate**2 * steps > 2:
        return float("inf")
    noise = constants.L * found.c * constants.C * rate / found.mu
    return 6 * gap / (found.mu * rate * steps) + noise


def resilience(runs: Sequence[Trajectory]) -> Resilience:
    """The worst mu and c of any block of steps, where expectations are means over it and seeds.

    mu is 1 at most, as in the theorem.
    """
    progress = [
        _mean(runs, block, lambda run: run.products) / _mean(runs, block, lambda run: run.squares)
        for block in blocks(len(runs[0].squares))
    ]
    c = _largest(runs, lambda run: run.outputs, lambda run: run.estimates)
    return Resilience(min(1.0, *progress), c)


def worst(runs: Sequence[Trajectory]) -> Constants:
    """Constants that hold for the problems of all seeds; gaps are told from each one's own low."""
    each = [run.constants for run in runs]
    return Constants(
        L=max(one.L for one in each),
        low=min(one.low for one in each),
        A=max(one.A for one in each),
        B=max(one.B for one in each),
        C=max(one.C for one in each),
    )


def slope(points: Sequence[Point]) -> tuple[float, float]:
    """Of log(minimum) against log K, with its standard error by the jackknife over seeds."""
    steps = [point.steps for point in points]
    without = np.array(
        [_slope(steps, minima) for minima in zip(*(p.minima_without for p in points), strict=True)]
    )
    error = np.sqrt((len(without) - 1) * without.var())
    return _slope(steps, [point.minimum for point in points]), float(error)


def blocks(steps: int) -> Iterator[slice]:
    """Steps 0, 1, 2-3, 4-7, 8-15, ...: an average needs the more steps the smaller gradients are.

    The last block has what is left, at least half as many as the one before it.
    """
    start, stop = 0, 1
    while start < steps:
        if steps - stop < stop / 2:
            stop = steps
        yield slice(start, stop)
        start, stop = stop, min(2 * stop, steps)


def _slope(steps: Sequence[int], minima: Sequence[float]) -> float:
    return float(np.polyfit(np.log(steps), np.log(minima), 1)[0])


def _largest(
    runs: Sequence[Trajectory],
    above: Callable[[Trajectory], Float64s],
    below: Callable[[Trajectory], Float64s],
) -> float:
    """The largest ratio of two means over any block and all seeds."""
    ratios = (
        _mean(runs, block, above) / _mean(runs, block, below)
        for block in blocks(len(runs[0].squares))
    )
    return max(ratios)


def _mean(
    runs: Sequence[Trajectory], block: slice, what: Callable[[Trajectory], Float64s]
) -> float:
    return float(np.mean([what(run)[block] for run in runs]))


def _allowed(run: Trajectory) -> Float64s:
    """A delta + B |grad f|^2 + C at every step."""
    constants = run.constants
    return constants.A * run.gaps + constants.B * run.squares + constants.C


def _promised(setting: Setting, runs: Sequence[Trajectory]) -> bool | None:
    """Whether the noise is small enough beside the gradient, in every block of steps."""
    deviation_max = RULES[setting.rule].deviation_max
    if deviation_max is None:
        return None
    variance = _largest(runs, lambda run: run.estimates - run.squares, lambda run: run.squares)
    return variance <= deviation_max(setting.quorum, setting.byzantine) ** 2
