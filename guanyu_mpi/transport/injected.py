"""Frames that an experiment with faults sends as they are, beside a node's messages."""

from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence

from mpi4py import MPI

from guanyu_mpi.cluster import Node
from guanyu_mpi.transport.communicators import Link
from guanyu_mpi.transport.peer import TAG_MESSAGE
from guanyu_mpi.transport.wire import Frame

# On their way to one peer; the others wait for their turn.
SENDING_MAX = 32


class Injected:
    """What was injected, by receiver; a receiver that has died gets nothing more."""

    def __init__(self, links: Mapping[Node, Link]) -> None:
        self._links = links
        self._waiting: defaultdict[Node, deque[Frame]] = defaultdict(deque)
        self._sending: defaultdict[Node, list[tuple[MPI.Request, Frame]]] = defaultdict(list)
        # MPI may not be done with what was on its way to them.
        self._lost: list[list[tuple[MPI.Request, Frame]]] = []

    @property
    def peers(self) -> Collection[Node]:
        """Everyone that the node has a link to."""
        return self._links.keys()

    def inject(self, receivers: Sequence[Node], frames: Sequence[Frame]) -> None:
        """Send frames as they are to each receiver."""
        for node in receivers:
            self._waiting[node].extend(frames)
        self.push()

    def push(self) -> int:
        """Move what was injected; how many frames have not arrived at a living peer."""
        for node in list(self._waiting):
            try:
                self._push(node)
            except MPI.Exception:
                self._lost.append(self._sending.pop(node, []))
                del self._waiting[node]
        return sum(len(self._waiting[node]) + len(self._sending[node]) for node in self._waiting)

    def _push(self, node: Node) -> None:
        link, waiting = self._links[node], self._waiting[node]
        sending = [pair for pair in self._sending[node] if not pair[0].Test()]
        self._sending[node] = sending
        while waiting and len(sending) < SENDING_MAX:
            frame = waiting.popleft()
            sending.append((link.comm.Isend([frame, MPI.BYTE], link.rank, TAG_MESSAGE), frame))
        if not sending:
            del self._waiting[node], self._sending[node]
