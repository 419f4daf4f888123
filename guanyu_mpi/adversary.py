"""An attacker: an honest core inside, whose outgoing vectors an attack rewrites.

The core knows nothing of it: what an experiment injects happens on the way out.
"""

from dataclasses import replace

from guanyu_mpi.attacks import ALONE, BoundAttack, Crowd, Honest, View
from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.messages import Message
from guanyu_mpi.protocol.effects import Broadcast, Core, Effect, Send
from guanyu_mpi.protocol.quorum import Wait
from guanyu_mpi.spy import Spy


class Adversary:
    """A core whose broadcasts are replaced by what its attack sends to each receiver.

    With a spy it overhears its honest peers, and speaks as soon as it has heard enough of them.
    """

    def __init__(
        self,
        core: Core,
        node: Node,
        cluster: Cluster,
        *,
        attack: BoundAttack,
        equivocates: bool,
        seed: int,
        crowd: Crowd = ALONE,
        spy: Spy | None = None,
    ) -> None:
        self._core = core
        self._node = node
        self._cluster = cluster
        self._attack = attack
        self._equivocates = equivocates
        self._seed = seed
        self._crowd = crowd
        self._spy = spy
        self._last: tuple[Message, Message | None] | None = None

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
        """The honest core's effects, rewritten; what is said to a spy is not for the core."""
        if self._spy is None:
            return self._rewrite(self._core.receive(sender, message))
        for_spy_alone = self._spy.hear(sender, message)
        released = self._released(self._spy)
        if for_spy_alone:
            return released
        return released + self._rewrite(self._core.receive(sender, message))

    def distrust(self, sender: Node) -> list[Effect]:
        """The honest core's effects, rewritten."""
        return self._rewrite(self._core.distrust(sender))

    def vote_no_more(self) -> None:
        """As the honest core: an attacker that leaves lies about no further step."""
        self._core.vote_no_more()

    def _rewrite(self, effects: list[Effect]) -> list[Effect]:
        rewritten: list[Effect] = []
        for effect in effects:
            rewritten += self._instead(effect) if isinstance(effect, Broadcast) else [effect]
        return rewritten

    def _instead(self, broadcast: Broadcast) -> list[Effect]:
        if self._spy is None:
            return self._sends(broadcast, Honest())
        self._spy.hold(broadcast)
        return self._released(self._spy)

    def _released(self, spy: Spy) -> list[Effect]:
        sends: list[Effect] = []
        for broadcast, overheard in spy.released():
            sends += self._sends(broadcast, overheard)
        return sends

    def _sends(self, broadcast: Broadcast, overheard: Honest) -> list[Effect]:
        receivers = [node for node in self._cluster.nodes(broadcast.to) if node != self._node]
        if not receivers:
            return []
        message = broadcast.message
        if not self._equivocates:
            lie = self._lie_to_all(message, receivers[0], overheard)
            return [Broadcast(lie, broadcast.to)] if lie else []
        lies = ((self._lie(message, receiver, overheard), receiver) for receiver in receivers)
        return [Send(lie, receiver) for lie, receiver in lies if lie]

    def _lie_to_all(self, message: Message, receiver: Node, overheard: Honest) -> Message | None:
        # Parameters are broadcast twice, and an attack may search for long.
        if self._last is None or self._last[0] is not message:
            self._last = message, self._lie(message, receiver, overheard)
        return self._last[1]

    def _lie(self, message: Message, receiver: Node, overheard: Honest) -> Message | None:
        view = View(
            message.vector,
            message.step,
            self._node,
            receiver,
            self._seed,
            kind=type(message),
            overheard=overheard,
            crowd=self._crowd,
        )
        vector = self._attack(view)
        return None if vector is None else replace(message, vector=vector)
