"""Who is in a quorum: votes of one kind, by step and sender, and what they are combined to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Message, Vector

# Inner products of n vectors, (n, n).
Products: TypeAlias = npt.NDArray[np.float64]

# Two, so that a peer one step ahead does not lose the vote that we still need.
STEPS_KEPT = 2


class Gathering(Protocol):
    """A quorum's vectors on their way to being combined.

    What the core needs of aggregation.gathering, which it does not import: that loads libraries.
    """

    @property
    def products(self) -> Products | None:
        """Those of the vectors last combined, if the rule has asked for them."""
        ...

    def add(self, vector: Vector, /) -> None:
        """Do the work that one more probable member makes possible."""
        ...

    def combine(self, vectors: Sequence[Vector], /) -> Vector:
        """Combine a quorum, in sender order; whether added before or not does not matter."""
        ...


class Aggregate(Protocol):
    """A rule bound to the size of a quorum."""

    def gather(self) -> Gathering:
        """A new quorum."""
        ...


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
    gathering: Gathering

    @property
    def vectors(self) -> tuple[Vector, ...]:
        """The votes' vectors (d,), in sender order."""
        return tuple(vote.vector for vote in self.votes)

    def combine(self) -> Vector:
        """The rule's result (d,)."""
        # A diverging run overflows here, and its core sees that it did.
        with np.errstate(over="ignore", invalid="ignore"):
            return self.gathering.combine(self.vectors)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a node waits for: votes of a kind for a step or a later one, and who has voted."""

    kind: type[Message]
    step: int
    quorum: int
    voters: tuple[Node, ...]


class Inbox:
    """Votes not yet consumed; per sender the two newest steps, so memory is bounded.

    Votes for the next step are prepared for being combined as they come. What is prepared keeps at
    most q vectors, even of votes that are replaced before they count.

    The first vote of a sender for a step counts; a second one is dropped, whatever it says. A vote
    for a step counts for every earlier one as well: links keep the order, so what was sent before
    it and is not here was replaced, and will never come. If it did not count, a node left behind
    would wait for ever once those who overtook it need its own vote to go on.
    """

    def __init__(self, quorum: int, first_step: int, aggregate: Aggregate) -> None:
        self._quorum = quorum
        self._first_step = first_step
        self._aggregate = aggregate
        self._gathering = aggregate.gather()
        self._votes: dict[Node, dict[int, Vote]] = {}
        self._arrivals = 0

    def __len__(self) -> int:
        return sum(len(votes) for votes in self._votes.values())

    @property
    def first_step(self) -> int:
        """The first step whose votes count."""
        return self._first_step

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
        if step == self._first_step:
            self._gathering.add(vector)

    def reached(self, step: int) -> bool:
        """Whether a quorum has voted for a step or a later one."""
        newest = self.newest_reached()
        return newest is not None and newest >= step

    def newest_reached(self) -> int | None:
        """Highest step that a quorum has reached or passed."""
        newest = sorted((max(held) for held in self._votes.values()), reverse=True)
        return newest[self._quorum - 1] if len(newest) >= self._quorum else None

    def wait(self, kind: type[Message]) -> Wait:
        """What it waits for, to those who watch; votes are of this kind."""
        first = self._first_step
        voters = sorted(sender for sender, held in self._votes.items() if max(held) >= first)
        return Wait(kind, first, self._quorum, tuple(voters))

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
        gathering = self._gathering
        self.forget_before(step + 1)
        senders, votes = zip(*first, strict=True)
        return Quorum(step, senders, votes, gathering)

    def forget_before(self, step: int) -> None:
        """Drop all votes of earlier steps, now and when they arrive."""
        if step <= self._first_step:
            return
        self._first_step = step
        kept = {
            sender: {at: vote for at, vote in held.items() if at >= self._first_step}
            for sender, held in self._votes.items()
        }
        self._votes = {sender: held for sender, held in kept.items() if held}
        self._gathering = self._aggregate.gather()
        early = [held[step] for held in self._votes.values() if step in held]
        for vote in sorted(early, key=lambda vote: vote.arrival):
            self._gathering.add(vote.vector)
