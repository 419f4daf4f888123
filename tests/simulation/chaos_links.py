"""What is in flight: per link one frame, and a worker's gradient on its way to itself.

Any of it can be drawn or taken in constant time, in an order that only the past decides.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from guanyu_mpi.cluster import Node
from guanyu_mpi.transport.outbox import Outbox
from guanyu_mpi.transport.wire import Frame


class Link:
    """From one node to another, or from a worker to itself.

    `closed` is one that a cut or a pause blocks, and `slow` one that a scheduler would rather not
    use; both are looked at far more often than they change.
    """

    __slots__ = ("closed", "frame", "nodes", "place", "receiver", "sender", "slow")

    def __init__(self, sender: Node, receiver: Node) -> None:
        self.sender, self.receiver = sender, receiver
        self.nodes = (sender, receiver)
        self.frame: Frame | None = None
        self.place = -1
        self.closed = self.slow = False

    @property
    def in_use(self) -> bool:
        """Whether something is in flight, or being computed."""
        return self.place >= 0


class Links:
    """All links of a job, every node's outbox, what is in flight, and who is at work."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.pending: list[Link] = []
        nodes = tuple(nodes)
        self._links = {(one, other): Link(one, other) for one in nodes for other in nodes}
        self._outboxes: dict[Node, Outbox[Frame]] = defaultdict(Outbox)

    def __getitem__(self, nodes: tuple[Node, ...]) -> Link:
        sender, receiver = nodes
        return self._links[sender, receiver]

    def all(self) -> Iterable[Link]:
        """Every link."""
        return self._links.values()

    @property
    def replaced(self) -> int:
        """How many messages a newer one has replaced."""
        return sum(outbox.replaced.total() for outbox in self._outboxes.values())

    def outbox(self, sender: Node) -> Outbox[Frame]:
        """What a node has to send."""
        return self._outboxes[sender]

    def send(self, outbox: Outbox[Frame], sender: Node, receiver: Node, frame: Frame) -> None:
        """Send now, or when the link is free."""
        if outbox.offer(receiver, frame):
            link = self._links[sender, receiver]
            assert not link.in_use, f"two messages of {sender} in flight to {receiver}"
            self._launch(link, frame)

    def take(self, link: Link, *, gone: bool) -> Frame:
        """What is in flight, which arrives or is lost; what waits follows, unless it is gone."""
        frame = link.frame
        assert frame is not None
        self.lose(link)
        following = self._outboxes[link.sender].delivered(link.receiver)
        if following is not None and not gone:
            self._launch(link, following)
        return frame

    def change(self, link: Link, change: Callable[[Frame], Frame]) -> None:
        """Tamper with what is in flight."""
        assert link.frame is not None
        link.frame = change(link.frame)

    def work(self, node: Node) -> None:
        """A worker has something to compute."""
        link = self._links[node, node]
        if not link.in_use:
            self._add(link)

    def lose(self, link: Link) -> None:
        """What is in flight is so no more; its outbox is not told."""
        last = self.pending.pop()
        if last is not link:
            self.pending[link.place] = last
            last.place = link.place
        link.place, link.frame = -1, None

    def hush(self, node: Node) -> None:
        """Nothing of this node arrives any more."""
        for link in [link for link in self.pending if link.sender == node]:
            self.lose(link)

    def isolate(self, node: Node) -> None:
        """Nothing arrives at this node any more, and it computes nothing."""
        for link in [link for link in self.pending if link.receiver == node]:
            self.lose(link)

    def _launch(self, link: Link, frame: Frame) -> None:
        link.frame = frame
        self._add(link)

    def _add(self, link: Link) -> None:
        link.place = len(self.pending)
        self.pending.append(link)
