"""A rank of a job without MPI and without vectors: its core and its outbox are those of a job.

And so is how long it sleeps that waits; what it does takes time and nothing else.
"""

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from turns import Does, Life

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.messages import Gradient, Message, Vector
from guanyu_mpi.protocol.effects import Broadcast, ComputeGradient, Consumed, Effect
from guanyu_mpi.protocol.quorum import Products
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore
from guanyu_mpi.transport.backoff import Backoff
from guanyu_mpi.transport.outbox import Outbox

FOREVER = 10**9


@dataclass(frozen=True, slots=True)
class Tasks:
    """Seconds of a core."""

    gradient_s: float
    rule_s: float
    median_s: float
    message_s: float
    look_s: float


class Rank:
    """A node of a job: its core, its outbox, and what has come for it."""

    def __init__(
        self, node: Node, core: ServerCore | WorkerCore, tasks: Tasks, ranks: Mapping[Node, "Rank"]
    ) -> None:
        self.core, self.outbox = core, Outbox[Message]()
        self.handled = 0
        self.mail: dict[Node, deque[Message]] = {}
        # Receivers that have what was in flight to them.
        self.received: deque[Node] = deque()
        self._node, self._tasks, self._ranks = node, tasks, ranks
        self._asked: ComputeGradient | None = None

    def life(self) -> Life:
        """What a rank does, as in transport/mpi.py and job.py: looks, works, computes, sleeps."""
        yield from self._perform(self.core.start())
        backoff = Backoff()
        while True:
            found = any(self.mail.values())
            yield (Does.WORK if found else Does.LOOK), self._tasks.look_s
            moved = yield from self._handle()
            moved |= self._send_on()
            if self._asked:
                yield from self._compute(self._asked)
            elif moved:
                backoff.start_over()
            else:
                yield Does.SLEEP, backoff.next_nap_s(receiving=False)

    def _handle(self) -> Generator[tuple[Does, float], None, bool]:
        """At most one message of each peer; whether there was any."""
        found = [(sender, mail.popleft()) for sender, mail in self.mail.items() if mail]
        for sender, message in found:
            yield Does.WORK, self._tasks.message_s
            self.handled += 1
            self._ranks[sender].received.append(self._node)
            yield from self._perform(self.core.receive(sender, message))
        return bool(found)

    def _compute(self, asked: ComputeGradient) -> Life:
        self._asked = None
        yield Does.WORK, self._tasks.gradient_s
        yield from self._perform(self.core.receive(self._node, Gradient(asked.step, asked.params)))

    def _perform(self, effects: Sequence[Effect]) -> Life:
        for effect in effects:
            match effect:
                case Consumed():
                    combines = effect.kind is Gradient
                    yield Does.WORK, self._tasks.rule_s if combines else self._tasks.median_s
                case Broadcast(message, to) if to is not Role.OBSERVER:
                    self._broadcast(message, to)
                case ComputeGradient():
                    self._asked = effect
                case _:
                    pass

    def _broadcast(self, message: Message, to: Role) -> None:
        others = [node for node in self._ranks if node.role is to and node != self._node]
        for node in others:
            if self.outbox.offer(node, message, type(message)):
                self._transmit(node, message)

    def _send_on(self) -> bool:
        """What was pending for those who have received; whether anyone has."""
        moved = bool(self.received)
        while self.received:
            receiver = self.received.popleft()
            following = self.outbox.delivered(receiver)
            if following is not None:
                self._transmit(receiver, following)
        return moved

    def _transmit(self, receiver: Node, message: Message) -> None:
        self._ranks[receiver].mail.setdefault(self._node, deque()).append(message)


class _First:
    """In place of a rule: it is only asked when."""

    products: Products | None = None

    def gather(self) -> "_First":
        return self

    def add(self, vector: Vector) -> None:
        pass

    def combine(self, vectors: Sequence[Vector]) -> Vector:
        return vectors[0]


def core_of(node: Node, cluster: Cluster) -> ServerCore | WorkerCore:
    """A core that never ends, of vectors without content."""
    if node.role is Role.WORKER:
        return WorkerCore(node, cluster, steps=FOREVER, contraction=_First())
    return ServerCore(
        node,
        cluster,
        params=np.zeros(1, np.float32),
        step=0,
        steps=FOREVER,
        rate=lambda _: 0.1,
        gar=_First(),
        contraction=_First(),
    )
