"""An attacker: an honest core inside, whose outgoing vectors an attack rewrites.

The core knows nothing of it: what an experiment injects happens on the way out.
"""

from dataclasses import replace

from guanyu_mpi.attacks import BoundAttack, View
from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.messages import Message
from guanyu_mpi.protocol.effects import Broadcast, Core, Effect, Send
from guanyu_mpi.protocol.quorum import Wait


class Adversary:
    """A core whose broadcasts are replaced by what its attack sends to each receiver."""

    def __init__(
        self,
        core: Core,
        node: Node,
        cluster: Cluster,
        *,
        attack: BoundAttack,
        equivocates: bool,
        seed: int,
    ) -> None:
        self._core = core
        self._node = node
        self._cluster = cluster
        self._attack = attack
        self._equivocates = equivocates
        self._seed = seed

    @property
    def step(self) -> int:
        """The honest core's step."""
        return self._core.step

    @property
    def waits_for(self) -> tuple[Wait, ...]:
        """What the honest core waits for."""
        return self._core.waits_for

    def start(self) -> list[Effect]:
        """The honest core's effects, rewritten."""
        return self._rewrite(self._core.start())

    def receive(self, sender: Node, message: Message) -> list[Effect]:
        """The honest core's effects, rewritten."""
        return self._rewrite(self._core.receive(sender, message))

    def distrust(self, sender: Node) -> list[Effect]:
        """The honest core's effects, rewritten."""
        return self._rewrite(self._core.distrust(sender))

    def _rewrite(self, effects: list[Effect]) -> list[Effect]:
        rewritten: list[Effect] = []
        for effect in effects:
            rewritten += self._sends(effect) if isinstance(effect, Broadcast) else [effect]
        return rewritten

    def _sends(self, broadcast: Broadcast) -> list[Effect]:
        receivers = [node for node in self._cluster.nodes(broadcast.to) if node != self._node]
        if not receivers:
            return []
        if not self._equivocates:
            lie = self._lie(broadcast.message, receivers[0])
            return [Broadcast(lie, broadcast.to)] if lie else []
        lies = ((self._lie(broadcast.message, receiver), receiver) for receiver in receivers)
        return [Send(lie, receiver) for lie, receiver in lies if lie]

    def _lie(self, message: Message, receiver: Node) -> Message | None:
        view = View(message.vector, message.step, self._node, receiver, self._seed)
        vector = self._attack(view)
        return None if vector is None else replace(message, vector=vector)
