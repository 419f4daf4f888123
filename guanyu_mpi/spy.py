"""What an omniscient attacker overhears: its honest peers' vectors, until they are enough.

A quorum takes the first that speak. So an attacker waits for as many honest vectors as make a
quorum with those of all attackers: later would be too late to be in it, and earlier would be to
know less. Whenever servers and workers can go on with the attackers' help, that many do come, so
nobody who waits for an attacker waits for ever. An attacker that has not heard enough is silent.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from guanyu_mpi.attacks import Honest
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.messages import Gradient, Message, Params, Update, Vector
from guanyu_mpi.protocol.effects import Broadcast
from guanyu_mpi.protocol.quorum import Inbox, Quorum

# What nodes of a role say to others than the observer.
SAID: dict[Role, tuple[type[Message], ...]] = {
    Role.SERVER: (Params, Update),
    Role.WORKER: (Gradient,),
}


class Ring:
    """What the spies of one process have overheard, as one object for all who know the same."""

    def __init__(self) -> None:
        self._newest: dict[type[Message], Honest] = {}

    def known(self, kind: type[Message], quorum: Quorum) -> Honest:
        """The votes of a quorum; what is worked out of them once serves all."""
        newest = self._newest.get(kind)
        if newest is None or not _is_of(newest, quorum):
            newest = self._newest[kind] = Honest(quorum.senders, quorum.vectors)
        return newest


class Spy:
    """The ears of one attacker, and the broadcasts that it holds back."""

    def __init__(
        self, node: Node, cluster: Cluster, attackers: Collection[Node], ring: Ring
    ) -> None:
        self._node = node
        self._attackers = frozenset(attackers) | {node}
        enough = max(1, cluster.quorum(node.role) - len(self._attackers))
        self._inboxes = {kind: Inbox(enough, 0, Uncombined()) for kind in SAID[node.role]}
        self._held: dict[type[Message], list[Broadcast]] = {}
        self._heard: dict[type[Message], tuple[int, Honest]] = {}
        self._ring = ring

    def hear(self, sender: Node, message: Message) -> bool:
        """Take in what a peer says; whether it was said to an attacker only, not to its core."""
        if sender == self._node or sender.role is not self._node.role:
            return False
        if sender not in self._attackers:
            self._inboxes[type(message)].offer(sender, message.step, message.vector)
        return not isinstance(message, Update)

    def hold(self, broadcast: Broadcast) -> None:
        """Hold a broadcast back, instead of what is held of its kind for another step."""
        message = broadcast.message
        held = self._held.setdefault(type(message), [])
        if held and held[0].message.step != message.step:
            held.clear()
        held.append(broadcast)

    def released(self) -> Iterator[tuple[Broadcast, Honest]]:
        """The broadcasts for whose step enough is known, and what."""
        for kind, held in list(self._held.items()):
            honest = self._honest(kind, held[0].message.step)
            if honest:
                del self._held[kind]
                yield from ((broadcast, honest) for broadcast in held)

    def _honest(self, kind: type[Message], step: int) -> Honest | None:
        if kind in self._heard and self._heard[kind][0] == step:
            return self._heard[kind][1]
        if not self._inboxes[kind].reached(step):
            return None
        quorum = self._inboxes[kind].consume(step)
        self._heard[kind] = step, self._ring.known(kind, quorum)
        return self._heard[kind][1]


def _is_of(honest: Honest, quorum: Quorum) -> bool:
    """Whether these are the votes of a quorum; each spy has views of its own of a frame."""
    return honest.senders == quorum.senders and all(
        map(np.array_equal, honest.vectors, quorum.vectors)
    )


@dataclass(frozen=True, slots=True)
class Uncombined:
    """For an inbox whose votes are not combined, but looked at."""

    products = None

    def gather(self) -> "Uncombined":
        """Nothing to prepare."""
        return self

    def add(self, vector: Vector, /) -> None:
        """Nothing to do."""

    def combine(self, vectors: Sequence[Vector], /) -> Vector:
        """Nobody asks for this."""
        raise InvariantError(f"a spy combines nothing, and was given {len(vectors)} vectors")
