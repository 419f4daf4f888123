"""A whole cluster of cores, of which any pending event may happen next; checked after each.

The links are those of both transports: an Outbox per sender, one message in flight per link.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import numpy as np
from protocol_harness import server_core, worker_core

from guanyu_mpi.adversary import Adversary
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.messages import Gradient, Message, Params, Update, Vector
from guanyu_mpi.protocol.contractions import Contractions
from guanyu_mpi.protocol.effects import (
    Broadcast,
    Commit,
    ComputeGradient,
    Effect,
    Halt,
    Outcome,
    Send,
)
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore
from guanyu_mpi.transport.outbox import Outbox

OPTIMUM = np.array([-3.0, 5.0], np.float32)

# A message on its way from one node to another, or a gradient on its way to its own worker.
Link: TypeAlias = tuple[Node, Node]


def gradient(params: Vector, worker: Node, step: int) -> Vector:
    """Of a quadratic, plus what this worker's batch of this step adds to it."""
    noise = np.sin([7.0 * worker.index + 3.0 * step, 5.0 * worker.index - step])
    return (params - OPTIMUM + 0.1 * noise).astype(np.float32)


@dataclass(frozen=True)
class Schedule:
    """Which pending event is next: the prefix decides, then a seed; held links come last."""

    prefix: tuple[int, ...]
    seed: int
    held: Collection[Link]

    def choices(self) -> Callable[[list[Link]], Link]:
        random, prefix = Random(self.seed), iter(self.prefix)

        def choose(pending: list[Link]) -> Link:
            number = next(prefix, None)
            if number is not None:
                return pending[number % len(pending)]
            return random.choice([link for link in pending if link not in self.held] or pending)

        return choose


class World:
    """Nodes, links and what is pending. Silent nodes have no core; liars are not checked.

    Servers begin with the same parameters, or with those given by their index.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        steps: int,
        silent: Collection[Node] = (),
        liars: Collection[Node] = (),
        lie: Callable[[Vector, Node, Node], Vector] | None = None,
        contract_every: int = 1,
        begun: Sequence[Vector | None] | None = None,
    ) -> None:
        self.cluster = cluster
        self.steps = steps
        self.contractions = Contractions(contract_every, steps)
        begun = begun or [None] * cluster.servers
        self.cores: dict[Node, ServerCore | WorkerCore | Adversary] = {}
        self.honest: dict[Node, ServerCore | WorkerCore] = {}
        self.commits: dict[Node, list[Commit]] = defaultdict(list)
        self.halts: dict[Node, Halt] = {}
        self._votes: dict[tuple[Node, int], Vector] = {}
        self._outboxes: dict[Node, Outbox[Message]] = {node: Outbox() for node in cluster}
        self._in_flight: dict[Link, Message] = {}
        self._work: dict[Node, ComputeGradient] = {}
        for node in cluster.nodes(Role.SERVER) + cluster.nodes(Role.WORKER):
            if node in silent:
                continue
            core = (
                server_core(
                    cluster,
                    node.index,
                    steps=steps,
                    params=begun[node.index],
                    contract_every=contract_every,
                )
                if node.role is Role.SERVER
                else worker_core(cluster, node.index, steps=steps)
            )
            if node in liars:
                self.cores[node] = _liar(core, node, cluster, lie)
            else:
                self.cores[node] = self.honest[node] = core
        for node, core in self.cores.items():
            self._perform(node, core.start())

    def pending(self) -> list[Link]:
        """What may happen next, in an order that depends on nothing but what it is."""
        return sorted([*self._in_flight, *((node, node) for node in self._work)])

    def happen(self, link: Link) -> None:
        """Deliver the message in flight on a link, or a worker's own gradient."""
        sender, receiver = link
        if sender == receiver:
            work = self._work.pop(receiver)
            own = Gradient(work.step, gradient(work.params, receiver, work.step))
            self.deliver(receiver, receiver, own)
            return
        message = self._in_flight.pop(link)
        following = self._outboxes[sender].delivered(receiver)
        if following is not None:
            self._in_flight[link] = following
        self.deliver(sender, receiver, message)

    def deliver(self, sender: Node, receiver: Node, message: Message) -> None:
        """Hand a message to a core, whoever made it, and check what the core does."""
        core = self.honest.get(receiver)
        before = (core.step, len(self.commits[receiver])) if core else (0, 0)
        if receiver in self.cores:
            self._perform(receiver, self.cores[receiver].receive(sender, message))
        if core:
            self._check(receiver, core, *before)

    def silence(self, node: Node) -> None:
        """The node dies: nothing of it arrives any more."""
        for link in [link for link in self._in_flight if node in link]:
            del self._in_flight[link]
        for known in (self.cores, self.honest, self._work):
            known.pop(node, None)

    def run(
        self,
        schedule: Schedule,
        until: Callable[[], bool] = lambda: False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Let events happen until nothing is pending; `meanwhile` before each of them."""
        choose = schedule.choices()
        while (pending := self.pending()) and not until():
            meanwhile()
            self.happen(choose(pending))

    def unfinished(self) -> dict[str, int]:
        """Honest nodes that have not finished, and the step at which they are."""
        return {
            str(node): core.step
            for node, core in self.honest.items()
            if node not in self.halts or self.halts[node].outcome is not Outcome.FINISHED
        }

    def _perform(self, node: Node, effects: list[Effect]) -> None:
        assert all(not isinstance(effect, Halt) for effect in effects[:-1])
        for effect in effects:
            match effect:
                case Broadcast(message, to):
                    self._vote(node, message, to)
                    others = [peer for peer in self.cluster.nodes(to) if peer != node]
                    self._send(node, others, message)
                case Send(message, receiver):
                    self._send(node, [receiver], message)
                case ComputeGradient():
                    assert node not in self._work
                    self._work[node] = effect
                case Commit():
                    self.commits[node].append(effect)
                case Halt():
                    assert node not in self.halts
                    self.halts[node] = effect

    def _send(self, sender: Node, receivers: list[Node], message: Message) -> None:
        for receiver in receivers:
            alive = receiver in self.cores
            if alive and self._outboxes[sender].offer(receiver, message):
                self._in_flight[sender, receiver] = message

    def _vote(self, node: Node, message: Message, to: Role) -> None:
        """An honest node tells everyone one thing per step, and never speaks of a past one."""
        if node not in self.honest or to is Role.OBSERVER:
            return
        kinds = {Role.WORKER: (Params,), Role.SERVER: (Gradient, Update)}
        assert isinstance(message, kinds[to])
        assert message.step <= self.steps - (not isinstance(message, Params))
        assert not isinstance(message, Update) or self.contractions.at(message.step)
        if not isinstance(message, Params):
            said = [step for sender, step in self._votes if sender == node]
            assert message.step > max(said, default=-1)
            self._votes[node, message.step] = message.vector

    def _check(self, node: Node, core: ServerCore | WorkerCore, step: int, commits: int) -> None:
        peers = self.cluster.servers
        if isinstance(core, ServerCore):
            peers += self.cluster.workers
        assert core.votes_held <= 2 * peers
        assert core.step >= step
        assert core.step <= self.steps
        halt = self.halts.get(node)
        assert halt is None or halt.outcome is Outcome.FINISHED, halt
        for commit in self.commits[node][commits:]:
            self._check_commit(node, commit)
            assert commit.step > step
            step = commit.step

    def _check_commit(self, node: Node, commit: Commit) -> None:
        if not self.contractions.at(commit.step - 1):
            assert not commit.updates
            _check_quorum(self.cluster, Role.WORKER, commit.gradients)
            return
        _check_quorum(self.cluster, Role.SERVER, commit.updates)
        # Who has not voted itself has adopted, and says so.
        assert bool(commit.gradients) == (node in commit.updates)
        if commit.gradients:
            _check_quorum(self.cluster, Role.WORKER, commit.gradients)
        rows = np.stack([row for peer in commit.updates for row in self._said(peer, commit.step)])
        assert (rows.min(axis=0) <= commit.params).all()
        assert (commit.params <= rows.max(axis=0)).all()

    def _said(self, node: Node, step: int) -> list[Vector]:
        """What an honest node has voted for the update to this step, or for a later one."""
        return [
            vector
            for (sender, voted), vector in self._votes.items()
            if sender == node and node in self.honest and voted >= step - 1
        ]


def _check_quorum(cluster: Cluster, role: Role, senders: tuple[Node, ...]) -> None:
    assert len(set(senders)) == len(senders) == cluster.quorum(role)
    assert set(senders) <= set(cluster.nodes(role))


def _liar(
    core: ServerCore | WorkerCore,
    node: Node,
    cluster: Cluster,
    lie: Callable[[Vector, Node, Node], Vector] | None,
) -> Adversary:
    assert lie is not None
    return Adversary(
        core,
        node,
        cluster,
        attack=lambda view: lie(view.vector, view.sender, view.receiver),
        equivocates=True,
        seed=0,
    )
