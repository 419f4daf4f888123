"""What an attacker knows when it sends a message."""

from dataclasses import dataclass

import numpy as np

from guanyu_mpi import seeds
from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Vector


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The vector that an honest node would have sent, shape (d,), by whom and to whom."""

    vector: Vector
    step: int
    sender: Node
    receiver: Node
    seed: int

    def random(self, *path: str | int) -> np.random.Generator:
        """Random stream of this sender and step; add the receiver to tell receivers apart."""
        return seeds.stream(self.seed, "attack", str(self.sender), self.step, *path)
