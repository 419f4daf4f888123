"""What a worker minimises and an observer evaluates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.messages import Vector

Images: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]

# (worker, step) -> images (b, C, H, W), labels (b,): a pure function, so that a restarted
# worker computes what it would have computed.
BatchSource: TypeAlias = Callable[[int, int], tuple[Images, Labels]]


class Examples(Protocol):
    """The examples that an objective is evaluated on."""

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def take(self, indices: npt.NDArray[np.int64]) -> tuple[Images, Labels]:
        """Images (b, C, H, W) and labels (b,) of the examples with these indices (b,)."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Mean loss, and the share of right answers where there is such a thing."""

    loss: float
    accuracy: float | None


class Objective(Protocol):
    """A function of the parameters, of which only noisy gradients are known."""

    @property
    def dimension(self) -> int:
        """Number of parameters d."""
        ...

    def gradient(self, params: Vector, worker: int, step: int) -> tuple[float, Vector]:
        """Loss and gradient (d,) on the batch of a worker's step; the gradient is the caller's.

        A pure function of its arguments and the run's seed.
        """
        ...

    def evaluate(self, params: Vector) -> Evaluation:
        """The loss that is reported: on the test split, or exact where it is known."""
        ...
