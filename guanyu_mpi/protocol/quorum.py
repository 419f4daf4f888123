"""Who is in a quorum: votes of one kind, by step and sender."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Vector

# Two, so that a peer one step ahead does not lose the vote that we still need.
STEPS_KEPT = 2


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """A vector for a step; `arrival` counts the votes that an inbox has taken."""

    step: int
    arrival: int
    vector: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Quorum:
    """The first q votes for a step, in the order of their senders.

    A vote of a later step stands in where its sender's own vote for the step was replaced.
    """

    step: int
    senders: tuple[Node, ...]
    votes: tuple[Vote, ...]

    def stack(self) -> npt.NDArray[np.float32]:
        """Votes as rows in sender order, shape (q, d)."""
        return np.stack([vote.vector for vote in self.votes])


class Inbox:
    """Votes not yet consumed; per sender the two newest steps, so memory is bounded.

    The first vote of a sender for a step counts; a second one is dropped, whatever it says. A vote
    for a step counts for every earlier one as well: links keep the order, so what was sent before
    it and is not here was replaced, and will never come. If it did not count, a node left behind
    would wait for ever once those who overtook it need its own vote to go on.
    """

    def __init__(self, quorum: int, first_step: int) -> None:
        self._quorum = quorum
        self._first_step = first_step
        self._votes: dict[Node, dict[int, Vote]] = {}
        self._arrivals = 0

    def __len__(self) -> int:
        return sum(len(votes) for votes in self._votes.values())

    def offer(self, sender: Node, step: int, vector: Vector) -> None:
        """Count a vote, unless it is stale, a second vote, or older than two newer ones."""
        held = self._votes.get(sender, {})
        if step < self._first_step or step in held:
            return
        if len(held) == STEPS_KEPT:
            if step < min(held):
                return
            del held[min(held)]
        self._arrivals += 1
        held[step] = Vote(step, self._arrivals, vector)
        self._votes[sender] = held

    def reached(self, step: int) -> bool:
        """Whether a quorum has voted for a step or a later one."""
        newest = self.newest_reached()
        return newest is not None and newest >= step

    def newest_reached(self) -> int | None:
        """Highest step that a quorum has reached or passed."""
        newest = sorted((max(held) for held in self._votes.values()), reverse=True)
        return newest[self._quorum - 1] if len(newest) >= self._quorum else None

    def consume(self, step: int) -> Quorum:
        """Take the first q votes for a step, and forget it and all before it."""
        counting = [
            (sender, held[min(kept for kept in held if kept >= step)])
            for sender, held in self._votes.items()
            if max(held) >= step
        ]
        # A vote for the step itself goes before one that stands in; then whoever came first.
        counting.sort(key=lambda voter: (voter[1].step != step, voter[1].arrival))
        # Rows in sender order: the result must not depend on which message came first.
        first = sorted(counting[: self._quorum], key=lambda voter: voter[0].index)
        self.forget_before(step + 1)
        return Quorum(step, tuple(node for node, _ in first), tuple(vote for _, vote in first))

    def forget_before(self, step: int) -> None:
        """Drop all votes of earlier steps, now and when they arrive."""
        self._first_step = max(step, self._first_step)
        kept = {
            sender: {at: vote for at, vote in held.items() if at >= self._first_step}
            for sender, held in self._votes.items()
        }
        self._votes = {sender: held for sender, held in kept.items() if held}
