"""Runs of one trusted server under attack, and what theory wants to know of every step."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.messages import Gradient, Message, Params, Vector
from guanyu_mpi.models.analytic import Analytic, Constants
from guanyu_mpi.models.catalogue import ANALYTIC
from guanyu_mpi.simulation import simulate

Float64s = npt.NDArray[np.float64]

ATTACKER_SPEED = 100.0


@dataclass(frozen=True, slots=True)
class Setting:
    """A problem, a rule, and an attack by as many workers as the rule is told.

    The server waits for the first workers - byzantine gradients, and attackers are the first.
    """

    label: str
    model: str
    options: dict[str, object]
    rule: str
    # The learning rate of K steps is rate / sqrt(K).
    rate: float
    attack: dict[str, object] = field(default_factory=dict)
    workers: int = 7
    byzantine: int = 1

    @property
    def quorum(self) -> int:
        """How many gradients are combined."""
        return self.workers - self.byzantine

    def problem(self, seed: int) -> Analytic:
        """The problem that a run of this seed minimises."""
        return ANALYTIC[self.model](self.options).problem(seed)

    def config(self, steps: int, seed: int) -> Config:
        """The run as any user would describe it."""
        attackers = range(self.quorum, self.workers)
        return parse_config(
            {
                "run": {"name": "theory", "steps": steps, "seed": seed},
                "cluster": {
                    "servers": 1,
                    "workers": self.workers,
                    "byzantine_workers": self.byzantine,
                },
                "model": {"name": self.model, "options": self.options},
                "train": {"learning_rate": self.rate / steps**0.5},
                "aggregation": {"gradients": self.rule},
                "attack": {"workers": {**self.attack, "count": self.byzantine}},
                "observe": {"every": steps},
                "simulation": {"slow": {f"worker-{k}": 1 / ATTACKER_SPEED for k in attackers}},
            }
        )


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """What happened at x_k, k < K, each of shape (K,)."""

    constants: Constants
    # f(x_k) - f_low.
    gaps: Float64s
    # |grad f(x_k)|^2.
    squares: Float64s
    # <F_k, grad f(x_k)>, where x_{k+1} = x_k - rate * F_k.
    products: Float64s
    # |F_k|^2.
    outputs: Float64s
    # Mean of |g|^2 over the honest workers' gradients at x_k.
    estimates: Float64s


def follow(setting: Setting, steps: int, seed: int) -> Trajectory:
    """Run the shipped code for K = steps, and look at every x_k that the server broadcasts."""
    config = setting.config(steps, seed)
    recorder = Recorder(config)
    simulate(config, on_send=recorder.on_send)
    problem = setting.problem(seed)
    points = np.stack(recorder.params).astype(np.float64)
    outputs = (points[:-1] - points[1:]) / config.train.learning_rate
    gradients = np.stack([problem.full_gradient(params) for params in recorder.params[:-1]])
    losses = [problem.evaluate(params).loss for params in recorder.params[:-1]]
    return Trajectory(
        constants=problem.constants,
        gaps=np.array(losses) - problem.constants.low,
        squares=_dots(gradients, gradients),
        products=_dots(outputs, gradients),
        outputs=_dots(outputs, outputs),
        estimates=recorder.sums / recorder.counts,
    )


class Recorder:
    """Keeps the server's parameters x_0 ... x_K and the sizes of honest gradients."""

    def __init__(self, config: Config) -> None:
        self.params: list[Vector] = []
        self.sums = np.zeros(config.run.steps)
        self.counts = np.zeros(config.run.steps, int)
        self._attackers = config.attackers

    def on_send(self, sender: Node, receivers: Sequence[Node], message: Message) -> None:
        """See what every node says, before the network has it."""
        if isinstance(message, Params) and receivers[0].role is Role.WORKER:
            self.params.append(message.vector)
        if isinstance(message, Gradient) and sender not in self._attackers:
            wide = message.vector.astype(np.float64)
            self.sums[message.step] += wide @ wide
            self.counts[message.step] += 1


def _dots(left: Float64s, right: Float64s) -> Float64s:
    """Inner products of rows, (K, d) and (K, d) -> (K,)."""
    dots: Float64s = np.einsum("kd,kd->k", left, right)
    return dots
