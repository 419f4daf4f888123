"""The observer: watches the servers' parameters, is trusted by nobody, and nobody waits for it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from guanyu_mpi.cluster import OBSERVER, Cluster, Node
from guanyu_mpi.errors import Fault, InvariantError
from guanyu_mpi.messages import Message, Params, Vector
from guanyu_mpi.models import Evaluation
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.protocol.quorum import Inbox, Quorum
from guanyu_mpi.protocol.server import Aggregate


@dataclass(frozen=True, slots=True)
class Observation:
    """What the observer saw of a step, at the median of the first q servers.

    `drift` is the largest distance in any coordinate between honest servers of the quorum;
    `updates_per_s` is counted since the observation before.
    """

    step: int
    time_s: float
    loss: float
    accuracy: float | None
    drift: float
    updates_per_s: float | None
    quorum: tuple[Node, ...]


class Observer:
    """Takes the servers' Params and evaluates the newest step that a quorum of them holds."""

    halt: Halt | None = None

    def __init__(
        self,
        cluster: Cluster,
        *,
        evaluate: Callable[[Vector], Evaluation],
        contraction: Aggregate,
        attackers: frozenset[Node],
        steps: int,
        clock_s: Callable[[], float],
        report: Callable[[Observation], None],
    ) -> None:
        self._evaluate = evaluate
        self._contraction = contraction
        self._attackers = attackers
        self._steps = steps
        self._clock_s = clock_s
        self._report = report
        self._inbox = Inbox(cluster.server_quorum, first_step=0)
        self.last: Observation | None = None

    @property
    def step(self) -> int:
        """The step that was evaluated last."""
        return self.last.step if self.last else 0

    @property
    def busy(self) -> bool:
        """Whether there is a step to evaluate."""
        return self._inbox.newest_reached() is not None

    def start(self) -> None:
        """Nothing: an observer only watches."""

    def deliver(self, sender: Node, message: Message) -> None:
        """Keep a server's parameters."""
        if not isinstance(message, Params):
            raise InvariantError(f"{OBSERVER} was handed a {type(message).__name__} of {sender}")
        self._inbox.offer(sender, message.step, message.vector)

    def reject(self, sender: Node, fault: Fault) -> None:
        """Nothing: the receivers that matter count it."""

    def compute(self) -> None:
        """Evaluate the newest step that a quorum holds."""
        newest = self._inbox.newest_reached()
        if newest is None:
            raise InvariantError("the observer has nothing to evaluate")
        # The time of the step is when it was seen; evaluating it takes its own.
        seen_s = self._clock_s()
        quorum = self._inbox.consume(newest)
        observation = self._observe(quorum, seen_s)
        self.last = observation
        self._report(observation)
        if newest == self._steps:
            self.halt = Halt(Outcome.FINISHED, newest, "")

    def _observe(self, quorum: Quorum, seen_s: float) -> Observation:
        with np.errstate(over="ignore", invalid="ignore"):
            evaluation = self._evaluate(self._contraction(quorum.stack()))
        return Observation(
            step=quorum.step,
            time_s=seen_s,
            loss=evaluation.loss,
            accuracy=evaluation.accuracy,
            drift=self._drift(quorum),
            updates_per_s=self._updates_per_s(quorum.step, seen_s),
            quorum=quorum.senders,
        )

    def _drift(self, quorum: Quorum) -> float:
        # Servers at different steps are apart because of that.
        rows = [
            vote.vector
            for node, vote in zip(quorum.senders, quorum.votes, strict=True)
            if node not in self._attackers and vote.step == quorum.step
        ]
        if not rows:
            return float("nan")
        honest = np.stack(rows)
        return float(np.max(honest.max(axis=0) - honest.min(axis=0)))

    def _updates_per_s(self, step: int, seen_s: float) -> float | None:
        if self.last is None or seen_s <= self.last.time_s:
            return None
        return (step - self.last.step) / (seen_s - self.last.time_s)
