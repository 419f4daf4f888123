"""Per receiver one message in flight and one of each kind pending, which a newer one replaces."""

from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeVar

from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Message

Item = TypeVar("Item")

# One in flight, one pending: to all but the observer a node sends vectors of one kind.
MESSAGES_PER_RECEIVER = 2


class Outbox(Generic[Item]):
    """Decides what to send next; a slow or silent receiver costs two messages, never more."""

    def __init__(self) -> None:
        self._in_flight: set[Node] = set()
        self._pending: dict[Node, dict[type[Message] | None, Item]] = {}
        # Messages to each receiver that a newer one has replaced.
        self.replaced: Counter[Node] = Counter()

    def offer(self, receiver: Node, item: Item, kind: type[Message] | None = None) -> bool:
        """Whether to send the item now; if not, it is pending, in place of an older such item."""
        if receiver not in self._in_flight:
            self._in_flight.add(receiver)
            return True
        pending = self._pending.setdefault(receiver, {})
        self.replaced[receiver] += kind in pending
        pending[kind] = item
        return False

    def delivered(self, receiver: Node) -> Item | None:
        """The message in flight has arrived: what to send to this receiver now."""
        pending = self._pending.get(receiver)
        if not pending:
            self._in_flight.discard(receiver)
            return None
        # The kind that has waited longest: what replaces an item also takes its place.
        return pending.pop(next(iter(pending)))

    def forget(self, receiver: Node) -> None:
        """The receiver is gone: nothing more is sent to it."""
        self._in_flight.discard(receiver)
        self._pending.pop(receiver, None)

    def idle(self, receivers: Iterable[Node]) -> bool:
        """Whether nothing is in flight to any of these receivers."""
        return self._in_flight.isdisjoint(receivers)
