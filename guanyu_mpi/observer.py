"""The observer: watches what the servers say, is trusted by nobody, and nobody waits for it."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from guanyu_mpi.cluster import OBSERVER, Cluster, Node
from guanyu_mpi.drift import alignment, drift
from guanyu_mpi.episode import Stretch
from guanyu_mpi.errors import Fault, InvariantError
from guanyu_mpi.messages import Message, Params, Report, Vector
from guanyu_mpi.models import Evaluation
from guanyu_mpi.monitor import Measured, Monitor
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.protocol.quorum import Aggregate, Inbox, Quorum, Wait
from guanyu_mpi.server_distances import ServerDistances
from guanyu_mpi.spawn import Spawn, at_once

# How long to wait for an evaluation before messages are looked after again.
PATIENCE_S = 0.02


@dataclass(frozen=True, slots=True)
class Observation:
    """What the observer saw of a step, at the median of the first q servers.

    `drift` is the largest distance in any coordinate between honest servers of the quorum, and
    `drift_alignment` whether they are apart along one line (`drift.alignment`); `updates_per_s`
    is counted since the observation before. `measured` is what the servers have reported of their
    gradients by then, `warning` what has been warned of since the last, `suspected` who has been
    rejected, or far from the others, nearly always and since when, and `far` in which part of the
    looks so far each server was far from the others.
    """

    step: int
    time_s: float
    loss: float
    accuracy: float | None
    drift: float
    drift_alignment: float
    updates_per_s: float | None
    quorum: tuple[Node, ...]
    measured: Measured | None = None
    warning: str = ""
    suspected: Mapping[Node, Stretch] = field(default_factory=dict)
    far: Mapping[Node, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """An evaluation on its way: of what, when that was seen, and what will come of it."""

    quorum: Quorum
    seen_s: float
    evaluation: "Future[Evaluation]"


class Observer:
    """Takes the servers' Params and evaluates the newest step that a quorum of them holds.

    `spawn` may evaluate elsewhere: what takes minutes must not keep messages from being taken, or
    the last ones are lost when the servers leave.
    """

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
        monitor: Monitor,
        report: Callable[[Observation], None],
        warn: Callable[[str], None],
        spawn: Spawn = at_once,
    ) -> None:
        self._evaluate = evaluate
        self._attackers = attackers
        self._steps = steps
        self._clock_s = clock_s
        self._monitor = monitor
        self._report = report
        self._warn = warn
        self._spawn = spawn
        self._inbox = Inbox(cluster.server_quorum, 0, contraction)
        # Where no server can be Byzantine there is nobody to suspect, and a vector less to keep.
        self._distances = ServerDistances(cluster) if cluster.byzantine_servers else None
        self._median: tuple[int, Vector] | None = None
        # The newest step that a quorum holds, and when that was seen.
        self._reached: tuple[int, float] | None = None
        self._running: Running | None = None
        # Warned of, and not in an observation yet.
        self._warning = ""
        self.last: Observation | None = None

    @property
    def step(self) -> int:
        """The step that was evaluated last."""
        return self.last.step if self.last else 0

    @property
    def waits_for(self) -> tuple[Wait, ...]:
        """The next parameters of the servers."""
        return (self._inbox.wait(Params),)

    @property
    def faults(self) -> Mapping[tuple[Node, Fault], int]:
        """Nothing: the receivers that matter count bad frames."""
        return {}

    @property
    def busy(self) -> bool:
        """Whether a step is to be evaluated, or is being evaluated."""
        return self._running is not None or self._reached is not None

    def start(self) -> None:
        """Nothing: an observer only watches."""

    def deliver(self, sender: Node, message: Message) -> None:
        """Keep a server's parameters, or what it reports of its gradients."""
        match message:
            case Params():
                self._keep(sender, message)
            case Report():
                self._follow(sender, message)
            case _:
                kind = type(message).__name__
                raise InvariantError(f"{OBSERVER} was handed a {kind} of {sender}")

    def reject(self, sender: Node, fault: Fault) -> None:
        """Nothing: the receivers that matter count it."""

    def vote_no_more(self) -> None:
        """Nothing: an observer has no vote."""

    def compute(self) -> None:
        """Evaluate the newest step that a quorum holds, or wait a moment for its evaluation."""
        if self._running is None:
            self._running = self._begin()
        running = self._running
        wait([running.evaluation], PATIENCE_S)
        if not running.evaluation.done():
            return
        self._running = None
        self.last = self._observation(running, running.evaluation.result())
        self._report(self.last)
        if self.last.step == self._steps:
            self.halt = Halt(Outcome.FINISHED, self._steps, "")

    def _keep(self, sender: Node, params: Params) -> None:
        self._inbox.offer(sender, params.step, params.vector)
        newest = self._inbox.newest_reached()
        if newest is not None and (self._reached is None or newest > self._reached[0]):
            self._reached = newest, self._clock_s()

    def _follow(self, sender: Node, report: Report) -> None:
        warning = self._monitor.offer(sender, report)
        if warning:
            self._warning = warning
            self._warn(warning)

    def _begin(self) -> Running:
        if self._reached is None:
            raise InvariantError("the observer has nothing to evaluate")
        step, seen_s = self._reached
        self._reached = None
        quorum = self._inbox.consume(step)
        return Running(quorum, seen_s, self._spawn(partial(self._evaluated, quorum)))

    def _evaluated(self, quorum: Quorum) -> Evaluation:
        # A run that diverges overflows here, and its loss says so.
        with np.errstate(over="ignore", invalid="ignore"):
            median = quorum.combine()
            self._measure(quorum, median)
            return self._evaluate(median)

    def _measure(self, quorum: Quorum, median: Vector) -> None:
        """How far the servers are from their median; one evaluation at a time calls this."""
        if self._distances is None:
            return
        distances = {
            node: float(np.linalg.norm(vote.vector - median))
            for node, vote in zip(quorum.senders, quorum.votes, strict=True)
            if vote.step == quorum.step
        }
        step, before = self._median or (quorum.step, median)
        moved = float(np.linalg.norm(median - before)) / max(quorum.step - step, 1)
        self._distances.look(quorum.step, distances, moved)
        self._median = quorum.step, median

    def _observation(self, running: Running, evaluation: Evaluation) -> Observation:
        quorum, honest = running.quorum, self._honest(running.quorum)
        warning, self._warning = self._warning, ""
        return Observation(
            step=quorum.step,
            time_s=running.seen_s,
            loss=evaluation.loss,
            accuracy=evaluation.accuracy,
            drift=drift(honest),
            drift_alignment=alignment(honest),
            updates_per_s=self._updates_per_s(quorum.step, running.seen_s),
            quorum=quorum.senders,
            measured=self._monitor.last,
            warning=warning,
            suspected=self._suspected(),
            far=self._distances.far if self._distances else {},
        )

    def _suspected(self) -> Mapping[Node, Stretch]:
        servers = self._distances.evident if self._distances else {}
        return {**servers, **(self._monitor.last.suspected if self._monitor.last else {})}

    def _honest(self, quorum: Quorum) -> list[Vector]:
        """Models of honest servers; those at another step are apart because of that."""
        return [
            vote.vector
            for node, vote in zip(quorum.senders, quorum.votes, strict=True)
            if node not in self._attackers and vote.step == quorum.step
        ]

    def _updates_per_s(self, step: int, seen_s: float) -> float | None:
        if self.last is None or seen_s <= self.last.time_s:
            return None
        return (step - self.last.step) / (seen_s - self.last.time_s)
