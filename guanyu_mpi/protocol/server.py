"""A parameter server's part: Algorithm 1 of GuanYu (arXiv 1905.03853 v1), from the server's side.

    1  for step t = 0, 1, ...
    2      broadcast Params(t) = theta_t to the workers
    3      wait for the first q' Gradient(t); Update(t) = theta_t - rate(t) * F(gradients)
    4      broadcast Update(t) to the servers, and count it as one's own vote
    5      wait for the first q Update(t); theta_{t+1} = median(updates)

Lines 4 and 5 are done at every T-th step and at the last one (T = 1 in GuanYu). In between a
server goes on with its own update, theta_{t+1} = Update(t), and tells no server (ByzSGD).

A server that has fallen behind adopts the median of q updates of a later step s as theta_{s+1}:
line 5 without its own vote. It then broadcasts that median as its vote for s: it lies between
honest votes, and others may need one more to finish s. One trusted server is the case q = 1.
"""

from collections.abc import Callable
from enum import Enum

import numpy as np

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.messages import Gradient, Message, Params, Report, Update, Vector
from guanyu_mpi.protocol.contractions import Contractions
from guanyu_mpi.protocol.divergence import Divergence, is_finite, poison
from guanyu_mpi.protocol.effects import (
    Aggregated,
    Broadcast,
    Commit,
    Consumed,
    Effect,
    Halt,
    Outcome,
)
from guanyu_mpi.protocol.quorum import Aggregate, Inbox, Wait


class Phase(Enum):
    """What a server waits for."""

    GRADIENTS = "gradients"
    UPDATES = "updates"
    HALTED = "halted"


class ServerCore:
    """State machine of a server; `gar` is F on gradients, `contraction` the median on updates."""

    def __init__(
        self,
        node: Node,
        cluster: Cluster,
        *,
        params: Vector,
        step: int,
        steps: int,
        rate: Callable[[int], float],
        gar: Aggregate,
        contraction: Aggregate,
        contract_every: int = 1,
    ) -> None:
        self.step = step
        self.params = params
        self.phase = Phase.GRADIENTS
        self._node = node
        self._steps = steps
        self._rate = rate
        self._gradients = Inbox(cluster.worker_quorum, step, gar)
        self._contractions = Contractions(contract_every, steps)
        first = self._contractions.next(step)
        self._updates = Inbox(cluster.server_quorum, first, contraction)
        self._gradient_senders: tuple[Node, ...] = ()
        self._divergence = Divergence(cluster)

    @property
    def votes_held(self) -> int:
        """Vectors kept: at most two per worker and two per server."""
        return len(self._gradients) + len(self._updates)

    @property
    def waits_for(self) -> tuple[Wait, ...]:
        """Gradients, or the updates of those who are further; then updates alone."""
        if self.phase is Phase.HALTED:
            return ()
        updates = self._updates.wait(Update)
        if self.phase is Phase.UPDATES or self._gradients.first_step > self._steps:
            return (updates,)
        return self._gradients.wait(Gradient), updates

    def start(self) -> list[Effect]:
        """Broadcast the first parameters (line 2)."""
        return self._publish() + self._halt_at_end()

    def receive(self, sender: Node, message: Message) -> list[Effect]:
        """Count a vote and do all that it makes possible."""
        if self.phase is Phase.HALTED:
            return []
        match message:
            case Gradient():
                self._gradients.offer(sender, message.step, message.vector)
            case Update():
                self._updates.offer(sender, message.step, message.vector)
            case Params() | Report():
                raise InvariantError(
                    f"{self._node} was handed a {type(message).__name__} of {sender}"
                )
        return self._progress()

    def distrust(self, sender: Node) -> list[Effect]:
        """Stop if more nodes have sent non-finite vectors than can be Byzantine."""
        reason = self._divergence.accuse(sender)
        return self._diverge(reason) if reason and self.phase is not Phase.HALTED else []

    def vote_no_more(self) -> None:
        """Use no gradients from now on, not even those that are here already."""
        self._gradients.forget_before(self._steps + 1)

    def _progress(self) -> list[Effect]:
        effects: list[Effect] = []
        while self.phase is not Phase.HALTED:
            # Updates first: a quorum of them, even of a later step, makes our own one needless.
            newest = self._updates.newest_reached()
            if newest is not None:
                effects += self._contract(newest)
            elif self.phase is Phase.GRADIENTS and self._gradients.reached(self.step):
                effects += self._update()
            else:
                break
        return effects

    def _update(self) -> list[Effect]:
        quorum = self._gradients.consume(self.step)
        self._gradient_senders = quorum.senders
        aggregate = quorum.combine()
        update = updated(self.params, self._rate(self.step), aggregate)
        if not is_finite(update):
            return self._diverge(f"the update of step {self.step} is not finite")
        consumed = Consumed(Gradient, quorum, update)
        aggregated = Aggregated(
            self.step, quorum.senders, quorum.vectors, aggregate, quorum.gathering.products
        )
        if not self._contractions.at(self.step):
            self.step, self.params = self.step + 1, update
            commit = Commit(self.step, update, quorum.senders, ())
            return [consumed, *self._publish(), aggregated, commit]
        self.phase = Phase.UPDATES
        # Line 4: own vote counted and delivered locally.
        self._updates.offer(self._node, self.step, update)
        return [consumed, Broadcast(Update(self.step, update), to=Role.SERVER), aggregated]

    def _contract(self, step: int) -> list[Effect]:
        quorum = self._updates.consume(step)
        # Line 5.
        params = quorum.combine()
        if not is_finite(params):
            return self._diverge(f"the median of the updates of step {step} is not finite")
        voted = self.phase is Phase.UPDATES and step == self.step
        gradients = self._gradient_senders if voted else ()
        self.step, self.params, self.phase = step + 1, params, Phase.GRADIENTS
        self._gradients.forget_before(self.step)
        self._updates.forget_before(self._contractions.next(self.step))
        commit = Commit(self.step, params, gradients, quorum.senders)
        vote: list[Effect] = [] if voted else [Broadcast(Update(step, params), to=Role.SERVER)]
        consumed = Consumed(Update, quorum, params, adopted=not voted)
        return [consumed, *self._publish(), *vote, commit, *self._halt_at_end()]

    def _publish(self) -> list[Effect]:
        # Line 2. Params of the last step tell workers and observer that the run is over.
        message = Params(self.step, self.params)
        return [Broadcast(message, to=Role.WORKER), Broadcast(message, to=Role.OBSERVER)]

    def _halt_at_end(self) -> list[Effect]:
        if self.step < self._steps:
            return []
        self.phase = Phase.HALTED
        return [Halt(Outcome.FINISHED, self.step, "")]

    def _diverge(self, reason: str) -> list[Effect]:
        self.phase = Phase.HALTED
        vector = poison(self.params)
        return [
            Broadcast(Params(self.step, vector), to=Role.WORKER),
            # For a step at which the others listen.
            Broadcast(Update(self._contractions.next(self.step), vector), to=Role.SERVER),
            Halt(Outcome.DIVERGED, self.step, reason),
        ]


def updated(params: Vector, rate: float, aggregate: Vector) -> Vector:
    """Line 3: params - rate * F(gradients), (d,); where that overflows, it is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.float32(-rate) * aggregate
        # In place: what two results cost is their memory.
        moved += params
    return moved
