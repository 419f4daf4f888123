"""What an attacker knows when it sends a message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi import seeds
from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Gradient, Message, Vector

Float64s: TypeAlias = npt.NDArray[np.float64]
# A quorum of vectors (d,) -> the rule's result (d,).
Combine: TypeAlias = Callable[[Sequence[Vector]], Vector]


@dataclass(frozen=True, eq=False)
class Honest:
    """What honest peers have said at a step, as far as the attacker has overheard it.

    The vectors (d,) are in the order of their senders, and nobody may write into them.
    """

    senders: tuple[Node, ...] = ()
    vectors: tuple[Vector, ...] = ()

    @cached_property
    def mean(self) -> Float64s:
        """Of each coordinate, (d,)."""
        # Row by row: all of them at once in 64 bits would not fit where one message does.
        total = np.zeros(self.vectors[0].shape, np.float64)
        for vector in self.vectors:
            total += vector
        return total / len(self.vectors)

    @cached_property
    def deviation(self) -> Float64s:
        """Standard deviation of each coordinate, (d,); 0 where only one vector is known."""
        total = np.zeros(self.vectors[0].shape, np.float64)
        for vector in self.vectors:
            total += np.square(vector - self.mean)
        return np.sqrt(total / len(self.vectors))


def mean(vectors: Sequence[Vector]) -> Vector:
    """The plain average (d,)."""
    return np.asarray(np.mean(vectors, axis=0, dtype=np.float64), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """The role of an attacker: its nodes, how many of them attack, and who combines their vectors.

    `prepared` is the rule in use, made ready for vectors that will be in every quorum.
    """

    nodes: int
    attackers: int
    quorum: int
    prepared: Callable[[Sequence[Vector]], Combine]


ALONE = Crowd(nodes=2, attackers=1, quorum=2, prepared=lambda _: mean)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The vector that an honest node would have sent, shape (d,), by whom and to whom.

    `overheard` is there for an omniscient attack only; `honest` takes the attacker's own vector
    for the others' where it has overheard nobody.
    """

    vector: Vector
    step: int
    sender: Node
    receiver: Node
    seed: int
    kind: type[Message] = Gradient
    overheard: Honest = field(default_factory=Honest)
    crowd: Crowd = ALONE

    @property
    def honest(self) -> Honest:
        """At least one vector that an honest node has sent, or would have."""
        if self.overheard.vectors:
            return self.overheard
        return Honest((self.sender,), (self.vector,))

    def random(self, *path: str | int) -> np.random.Generator:
        """Random stream of this sender and step; add the receiver to tell receivers apart."""
        return seeds.stream(self.seed, "attack", str(self.sender), self.step, *path)

    def plan(self, name: str) -> np.random.Generator:
        """Random stream that all attackers share at all steps: what they have agreed on."""
        return seeds.stream(self.seed, "attack", "plan", name)
