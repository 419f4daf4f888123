"""A network in virtual time, drawn from one seed: same seed, same events, same hash.

The nodes, the frames and the newest-wins policy are those of MPI; only time is made up. A message
is in flight until its receiver has processed it, as a large MPI message is.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from guanyu_mpi import seeds
from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.messages import Message
from guanyu_mpi.transport.conditions import Conditions
from guanyu_mpi.transport.outbox import Outbox
from guanyu_mpi.transport.participant import Participant
from guanyu_mpi.transport.wire import Decoder, Frame, encode


class Sealed(NamedTuple):
    """A frame and its SHA-256, taken once for all receivers."""

    frame: Frame
    digest: bytes


Event: TypeAlias = tuple[float, int, Callable[[], None]]


class SimNetwork:
    """All links of a cluster, the virtual clock, and what is due when."""

    def __init__(
        self, cluster: Cluster, decoder: Decoder, conditions: Conditions, seed: int
    ) -> None:
        self.now_s = 0.0
        self.num_events = 0
        self._decoder = decoder
        self._conditions = conditions
        self._rng = seeds.stream(seed, "network")
        self._participants: dict[Node, Participant] = {}
        self._outboxes: dict[Node, Outbox[Sealed]] = {node: Outbox() for node in cluster}
        self._free_s = dict.fromkeys(cluster, 0.0)
        self._computing: set[Node] = set()
        self._events: list[Event] = []
        self._scheduled = 0
        self._trace = hashlib.sha256()

    @property
    def replaced(self) -> Counter[Node]:
        """Messages to each node that a newer one replaced while another was on its way."""
        return sum((outbox.replaced for outbox in self._outboxes.values()), Counter())

    @property
    def trace_hash(self) -> str:
        """SHA-256 of every event so far: when, what, between whom, and the bytes delivered."""
        return self._trace.hexdigest()

    def join(self, node: Node, participant: Participant) -> None:
        """Attach a participant; it starts at time zero, after all have joined."""
        self._participants[node] = participant
        self._at(0.0, partial(self._start, node))

    def send(self, sender: Node, receivers: Sequence[Node], message: Message) -> None:
        """Send a message to each receiver that has joined, newest wins."""
        if not receivers:
            return
        frame = encode(message, self._decoder.element(type(message), receivers[0].role))
        sealed = Sealed(frame, hashlib.sha256(frame.data).digest())
        for receiver in receivers:
            if receiver not in self._participants:
                continue
            if receiver in self._decoder.spies and receiver.role is sender.role:
                # A spy knows at once what its peers say: the strongest there can be.
                self._at(self.now_s, partial(self._take_in, sender, receiver, sealed))
            elif self._outboxes[sender].offer(receiver, sealed, type(message)):
                self._transmit(sender, receiver, sealed)

    def step(self) -> bool:
        """Let the next event happen; False if nothing is due any more."""
        if not self._events:
            return False
        self.now_s, _, event = heapq.heappop(self._events)
        self.num_events += 1
        event()
        return True

    def _at(self, time_s: float, event: Callable[[], None]) -> None:
        # The counter orders events of equal time by when they were scheduled.
        self._scheduled += 1
        heapq.heappush(self._events, (time_s, self._scheduled, event))

    def _start(self, node: Node) -> None:
        self._record("start", node)
        self._participants[node].start()
        self._work_if_due(node)

    def _transmit(self, sender: Node, receiver: Node, sealed: Sealed) -> None:
        arrival_s = self._conditions.arrival_s(sender, receiver, self.now_s, self._rng)
        self._at(arrival_s, partial(self._arrive, sender, receiver, sealed))

    def _arrive(self, sender: Node, receiver: Node, sealed: Sealed) -> None:
        done_s = self._occupy(receiver, self._conditions.process_s)
        self._at(done_s, partial(self._process, sender, receiver, sealed))

    def _process(self, sender: Node, receiver: Node, sealed: Sealed) -> None:
        following = self._outboxes[sender].delivered(receiver)
        if following is not None:
            self._transmit(sender, receiver, following)
        self._take_in(sender, receiver, sealed)

    def _take_in(self, sender: Node, receiver: Node, sealed: Sealed) -> None:
        self._record(f"deliver from {sender} to", receiver, sealed.digest)
        self._decoder.hand_over(sealed.frame, sender, receiver, self._participants[receiver])
        self._work_if_due(receiver)

    def _work_if_due(self, node: Node) -> None:
        if self._participants[node].busy and node not in self._computing:
            self._computing.add(node)
            done_s = self._occupy(node, self._conditions.compute_s)
            self._at(done_s, partial(self._compute, node))

    def _compute(self, node: Node) -> None:
        self._record("compute", node)
        self._computing.discard(node)
        self._participants[node].compute()
        self._work_if_due(node)

    def _occupy(self, node: Node, duration_s: float) -> float:
        start_s = max(self.now_s, self._free_s[node])
        self._free_s[node] = start_s + duration_s * self._conditions.slowness(node)
        return self._free_s[node]

    def _record(self, event: str, node: Node, digest: bytes = b"") -> None:
        self._trace.update(f"{self.now_s!r} {event} {node}\n".encode() + digest)
