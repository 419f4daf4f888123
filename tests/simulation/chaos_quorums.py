"""Who was in a quorum, found out by watching what a node hears and what its rules are given."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from chaos_plan import Plan

from guanyu_mpi.aggregation import Aggregator
from guanyu_mpi.aggregation.gathering import Gathering
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.messages import Message, Vector

# Of the largest value: a mean in float32 is not exact.
ROUNDING = 1e-5


class BrokenError(Exception):
    """A law does not hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A rule has been given vectors, by whoever's votes they are."""

    voters: Role
    quorum: int
    vectors: tuple[Vector, ...]
    result: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A use of which is known whose votes they were, and for which steps."""

    senders: tuple[Node, ...]
    steps: tuple[int, ...]
    vectors: tuple[Vector, ...]
    result: Vector

    def honest(self, plan: Plan) -> list[Vector]:
        """Those that honest nodes have sent."""
        pairs = zip(self.senders, self.vectors, strict=True)
        return [vector for sender, vector in pairs if sender not in plan.attacks]


@dataclass(slots=True)
class Heard:
    """Every vote that a node has received or cast, by the identity of its vector; and uses."""

    votes: dict[int, tuple[Node, Message]] = field(default_factory=dict)
    # By sender and step the first vote.
    first: dict[Node, dict[int, Vector]] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)

    def note(self, sender: Node, message: Message) -> None:
        """Remember whose vote it is; the message is kept, so its vector stays where it is."""
        self.votes[id(message.vector)] = sender, message
        self.first.setdefault(sender, {}).setdefault(message.step, message.vector)

    def newest_reached(self, voters: Role, quorum: int) -> int:
        """Highest step for which, or for a later one, so many of a role have voted."""
        newest = [max(steps) for sender, steps in self.first.items() if sender.role is voters]
        return sorted(newest)[-quorum]

    def take(self, voters: Role, step: int) -> Taken:
        """The next use: q distinct senders in order, of votes for this step or later ones."""
        if not self.uses or self.uses[0].voters is not voters:
            raise BrokenError(f"nothing was combined for step {step}")
        use = self.uses.pop(0)
        if len(use.vectors) != use.quorum:
            raise BrokenError(f"{len(use.vectors)} votes in a quorum of {use.quorum}")
        votes = [self.votes.get(id(vector)) for vector in use.vectors]
        known = [vote for vote in votes if vote]
        if len(known) != len(votes):
            raise BrokenError(f"a vote of step {step} that nobody has sent")
        senders = tuple(sender for sender, _ in known)
        steps = tuple(message.step for _, message in known)
        indices = [sender.index for sender in senders]
        if indices != sorted(set(indices)) or any(node.role is not voters for node in senders):
            raise BrokenError(f"quorum of step {step}: {[str(sender) for sender in senders]}")
        first = [self.first[sender][message.step] for sender, message in known]
        if any(own is not row for own, row in zip(first, use.vectors, strict=True)):
            raise BrokenError(f"a second vote in the quorum of step {step}")
        if min(steps) < step:
            raise BrokenError(f"votes for {steps} in a quorum of step {step}")
        return Taken(senders, steps, use.vectors, use.result)


class Watched:
    """A rule whose every use is written down; `thorough` compares it with the rule's one-shot."""

    def __init__(self, rule: Aggregator, voters: Role, heard: Heard, thorough: bool) -> None:
        self.rule = rule
        self.voters = voters
        self.heard = heard
        self.thorough = thorough

    def gather(self) -> "WatchedGathering":
        """A new quorum."""
        return WatchedGathering(self, self.rule.gather())


class WatchedGathering:
    """A quorum on its way, as the rule would have it."""

    products = None

    def __init__(self, of: Watched, gathering: Gathering[Vector]) -> None:
        self._of = of
        self._combine = gathering.combine
        self.add = gathering.add

    def combine(self, vectors: Sequence[Vector], /) -> Vector:
        """The rule's result, written down."""
        of = self._of
        result = self._combine(vectors)
        of.heard.uses.append(Use(of.voters, of.rule.n, tuple(vectors), result))
        if of.thorough and len(vectors) == of.rule.n:
            at_once = of.rule(np.stack(vectors))
            if at_once.tobytes() != result.tobytes():
                raise BrokenError(f"{of.rule.name}: {result} by arrival, {at_once} at once")
        return result


def between(result: Vector, honest: Sequence[Vector], slack: float) -> None:
    """Every coordinate lies between honest ones, or no farther from them than this."""
    lowest, highest = np.minimum.reduce(honest), np.maximum.reduce(honest)
    for value, low, high in zip(result.tolist(), lowest.tolist(), highest.tolist(), strict=True):
        far = slack + ROUNDING * max(abs(low), abs(high))
        if not low - far <= value <= high + far:
            raise BrokenError(f"{value} is not between the honest {low} and {high}, +- {slack}")
