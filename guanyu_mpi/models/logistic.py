"""Regularised logistic regression on a sample that is drawn from the seed: strongly convex.

Its gradients are those of mini-batches, so that their noise fades where the sample is fitted. It
needs neither torch nor data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from guanyu_mpi.errors import InvariantError
from guanyu_mpi.messages import Vector
from guanyu_mpi.models.analytic import Constants, Float64s
from guanyu_mpi.models.objective import Evaluation
from guanyu_mpi.models.options import Options
from guanyu_mpi.seeds import stream

# sup (1 - exp(-l))^2 / l over l > 0 is 0.40726...: the squared slope of a log-loss l, over l.
SLOPE_SQUARED_OVER_LOSS = 0.4073
NEWTON_STEPS_MAX = 1000


@dataclass(frozen=True, slots=True)
class LogisticOptions:
    """f(x) = mean_i log(1 + exp(-z_i . x)) + weight_decay/2 |x|^2, z_i an example times its label.

    Examples are N(0, I); a label is the side of a random plane, wrong with some probability.
    """

    dimension: int = 20
    examples: int = 200
    batch_size: int = 32
    weight_decay: float = 0.01
    wrong_labels: float = 0.1

    def problem(self, seed: int) -> "Logistic":
        """With the sample drawn from the seed."""
        return Logistic(self, seed)


class Logistic:
    """The objective f; a batch is drawn with replacement, so its gradient is unbiased."""

    name = "logistic"

    def __init__(self, options: LogisticOptions, seed: int) -> None:
        self.dimension = options.dimension
        self._seed = seed
        self._batch_size = options.batch_size
        self._decay = options.weight_decay
        self._signed = _sample(options, seed)

    @cached_property
    def optimum(self) -> Float64s:
        """Where the exact gradient vanishes to machine precision, (d,)."""
        params: Float64s = np.zeros(self.dimension)
        for _ in range(NEWTON_STEPS_MAX):
            slope = self._slope(params, self._signed)
            step = np.asarray(np.linalg.solve(self._hessian(params), slope), np.float64)
            params = params - _damped(step, self._signed)
            # Twice what was left above the minimum: the step has just squared it.
            if slope @ step < 1e-20:
                return params
        raise InvariantError(f"Newton's method did not converge in {NEWTON_STEPS_MAX} steps")

    @cached_property
    def constants(self) -> Constants:
        """E|g|^2 = |grad f|^2 + the variance of one example's gradient / batch size.

        The variance is at most mean_i s_i^2 |z_i|^2, where s_i = 1 - exp(-l_i) is the slope of the
        log-loss l_i; as s^2 < 0.4073 l and mean_i l_i <= f, it is at most 0.4073 max_i |z_i|^2 f.
        """
        curvature = np.linalg.eigvalsh(self._signed.T @ self._signed)[-1] / len(self._signed)
        low = self._loss(self.optimum, self._signed)
        longest = float((self._signed**2).sum(axis=1).max())
        growth = SLOPE_SQUARED_OVER_LOSS * longest / self._batch_size
        return Constants(
            L=float(curvature) / 4 + self._decay, low=low, A=growth, B=1.0, C=growth * low
        )

    def gradient(self, params: Vector, worker: int, step: int) -> tuple[float, Vector]:
        """Loss and gradient (d,) on the batch of a worker's step; the gradient is the caller's."""
        generator = stream(self._seed, "model", self.name, "batch", worker, step)
        batch = self._signed[generator.integers(len(self._signed), size=self._batch_size)]
        wide = params.astype(np.float64)
        return self._loss(wide, batch), self._slope(wide, batch).astype(np.float32)

    def full_gradient(self, params: Vector) -> Float64s:
        """The gradient on the whole sample, (d,)."""
        return self._slope(params.astype(np.float64), self._signed)

    def evaluate(self, params: Vector) -> Evaluation:
        """The loss on the whole sample, and the share of it that is on the right side."""
        wide = params.astype(np.float64)
        right = float((self._signed @ wide > 0).mean())
        return Evaluation(self._loss(wide, self._signed), right)

    def _loss(self, params: Float64s, signed: Float64s) -> float:
        losses = np.logaddexp(0, -(signed @ params))
        return float(losses.mean() + 0.5 * self._decay * (params @ params))

    def _slope(self, params: Float64s, signed: Float64s) -> Float64s:
        slope: Float64s = self._decay * params - _sigmoid(-(signed @ params)) @ signed / len(
            signed
        )
        return slope

    def _hessian(self, params: Float64s) -> Float64s:
        right = _sigmoid(self._signed @ params)
        weighted = self._signed * (right * (1 - right))[:, None]
        hessian: Float64s = self._signed.T @ weighted / len(self._signed)
        return hessian + self._decay * np.eye(self.dimension)


def _sample(options: LogisticOptions, seed: int) -> Float64s:
    """Examples times labels, (examples, d)."""
    generator = stream(seed, "model", Logistic.name, "sample")
    direction = generator.standard_normal(options.dimension)
    examples = generator.standard_normal((options.examples, options.dimension))
    wrong = generator.random(options.examples) < options.wrong_labels
    labels = np.sign(examples @ direction) * np.where(wrong, -1, 1)
    signed: Float64s = examples * labels[:, None]
    return signed


def _sigmoid(x: Float64s) -> Float64s:
    # exp of what is not positive cannot overflow.
    small = np.exp(-np.abs(x))
    sigmoid: Float64s = np.where(x >= 0, 1, small) / (1 + small)
    return sigmoid


def _damped(step: Float64s, signed: Float64s) -> Float64s:
    """The step, so short that no example moves by more than 1.

    The log-loss has |l'''| <= l'', so within that distance curvatures differ by e at most.
    """
    farthest = float(np.abs(signed @ step).max())
    return step / max(1.0, farthest)


def logistic_options(values: Mapping[str, object]) -> LogisticOptions:
    """Check the user's options, all at once."""
    options = Options(Logistic.name, values, [field.name for field in fields(LogisticOptions)])
    default = LogisticOptions()
    wrong = options.number("wrong_labels", default.wrong_labels)
    if not 0 <= wrong <= 1:
        options.fault(f"model.options.wrong_labels = {wrong}: must be from 0 to 1")
    checked = LogisticOptions(
        options.whole("dimension", default.dimension),
        options.whole("examples", default.examples),
        options.whole("batch_size", default.batch_size),
        options.positive("weight_decay", default.weight_decay),
        wrong,
    )
    options.check()
    return checked
