"""What is known of a peer, and what is on its way from and to it."""

from collections import deque
from dataclasses import dataclass, field

from mpi4py import MPI

from guanyu_mpi.transport.communicators import Link
from guanyu_mpi.transport.wire import Frame

TAG_MESSAGE = 1
# Words are empty messages under tags of their own, said once: all that was sent before has then
# been matched. A node says this when it needs nothing more,
TAG_BYE = 2
# and this when it leaves before the end, and votes no more.
TAG_LEAVING = 3
WORDS = (TAG_BYE, TAG_LEAVING)


@dataclass(slots=True)
class Peer:
    """One link; `told` are the words that it is sent, `heard` those that it has said."""

    link: Link
    receiving: tuple[MPI.Request, Frame] | None = None
    sending: tuple[MPI.Request, Frame] | None = None
    told: dict[int, MPI.Request] = field(default_factory=dict)
    heard: set[int] = field(default_factory=set)
    # Matched, and of these sizes, but not received yet: they cost a handle each.
    waiting: deque[tuple[MPI.Message, int]] = field(default_factory=deque)
    gone: bool = False

    @property
    def has_left(self) -> bool:
        """Whether it has said that it needs nothing more."""
        return TAG_BYE in self.heard

    @property
    def needs_nothing(self) -> bool:
        """Whether it has gone, or has left and all that it sent before is here."""
        return self.gone or (self.has_left and self._is_quiet)

    @property
    def votes_no_more(self) -> bool:
        """Whether it has gone or leaves, and all that it has voted is here."""
        return self.gone or (bool(self.heard) and self._is_quiet)

    @property
    def is_moving(self) -> bool:
        """Whether a message is on its way from or to it."""
        return bool(self.receiving or self.waiting or self.sending)

    @property
    def _is_quiet(self) -> bool:
        return not self.receiving and not self.waiting
