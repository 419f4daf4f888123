"""Who is in a quorum: votes of one kind, by step and sender."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Vector

# Two, so that a peer one step ahead does not lose the vote that we still need.
STEPS_KEPT = 2


@dataclass(frozen=True, slots=True, eq=False)
class Quorum:
    """The first q votes of a step, in the order of their senders."""

    step: int
    senders: tuple[Node, ...]
    vectors: tuple[Vector, ...]

    def stack(self) -> npt.NDArray[np.float32]:
        """Votes as rows in sender order, shape (q, d)."""
        return np.stack(self.vectors)


class Inbox:
    """Votes not yet consumed; per sender the two newest steps, so memory is bounded.

    The first vote of a sender for a step counts; a second one is dropped, whatever it says.
    """

    def __init__(self, quorum: int, first_step: int) -> None:
        self._quorum = quorum
        self._first_step = first_step
        # Senders of a step in the order of arrival, which alone decides who is among the first q.
        self._votes: dict[int, dict[Node, Vector]] = {}

    def __len__(self) -> int:
        return sum(len(votes) for votes in self._votes.values())

    def offer(self, sender: Node, step: int, vector: Vector) -> None:
        """Count a vote, unless it is stale, a second vote, or older than two newer ones."""
        if step < self._first_step or sender in self._votes.get(step, {}):
            return
        steps = sorted(held for held, votes in self._votes.items() if sender in votes)
        if len(steps) == STEPS_KEPT:
            if step < steps[0]:
                return
            self._drop(sender, steps[0])
        self._votes.setdefault(step, {})[sender] = vector

    def reached(self, step: int) -> bool:
        """Whether a quorum has voted for a step."""
        return len(self._votes.get(step, {})) >= self._quorum

    def newest_reached(self) -> int | None:
        """Highest step that a quorum has voted for."""
        return max((step for step in self._votes if self.reached(step)), default=None)

    def consume(self, step: int) -> Quorum:
        """Take the first q votes of a step, and forget it and all before it."""
        first = list(self._votes[step].items())[: self._quorum]
        # Rows in sender order: the result must not depend on which message came first.
        first.sort(key=lambda vote: vote[0].index)
        self.forget_before(step + 1)
        return Quorum(step, tuple(node for node, _ in first), tuple(row for _, row in first))

    def forget_before(self, step: int) -> None:
        """Drop all votes of earlier steps, now and when they arrive."""
        self._first_step = max(step, self._first_step)
        self._votes = {held: votes for held, votes in self._votes.items() if held >= step}

    def _drop(self, sender: Node, step: int) -> None:
        del self._votes[step][sender]
        if not self._votes[step]:
            del self._votes[step]
