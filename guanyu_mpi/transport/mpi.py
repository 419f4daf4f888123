"""Messages over MPI: nonblocking, point to point, every receive matched before it is started.

No receive is posted before the size of its message is known, because a longer one would overwrite
memory; no wait is for one peer, because that would give it a veto; nothing is collective.
"""

from collections.abc import Collection, Sequence

import numpy as np
from mpi4py import MPI

from guanyu_mpi.account import Account, Activity
from guanyu_mpi.cluster import Node
from guanyu_mpi.errors import CommunicatorLost, Fault
from guanyu_mpi.messages import Message
from guanyu_mpi.transport.arrivals import Arrivals
from guanyu_mpi.transport.communicators import Link
from guanyu_mpi.transport.injected import Injected
from guanyu_mpi.transport.outbox import Outbox
from guanyu_mpi.transport.participant import Receiver
from guanyu_mpi.transport.peer import TAG_BYE, TAG_LEAVING, TAG_MESSAGE, WORDS, Peer
from guanyu_mpi.transport.pool import FramePool
from guanyu_mpi.transport.scrap import Scrap
from guanyu_mpi.transport.strangers import Strangers
from guanyu_mpi.transport.traffic import Traffic, traffic_on
from guanyu_mpi.transport.wire import Decoder, Frame, encode

EMPTY = np.empty(0, np.uint8)
# So many of one peer in one turn. What is not taken piles up within MPI, without a bound; but a
# flood must not keep us from the other peers.
DRAINED_MAX = 512
# Messages behind one that is still arriving: an honest peer has one on its way. One that stops in
# mid-message must not stop us from taking, and throwing away, what it sends after that.
WAITING_MAX = 1024


class MpiNetwork:
    """A node's links to its peers; the account is told what they take and carry.

    Over the links to strangers nothing is to come, and what does is counted and thrown away.
    """

    def __init__(
        self,
        node: Node,
        links: dict[Node, Link],
        decoder: Decoder,
        account: Account | None = None,
        strangers: Sequence[tuple[Node, Link]] = (),
    ) -> None:
        self._node = node
        self._decoder = decoder
        self.account = account or Account()
        self._peers = {node: Peer(link) for node, link in links.items()}
        # Those with a transfer on its way: while nothing arrives, nobody else is looked at.
        self._moving: dict[Node, Peer] = {}
        self._leaving: set[Node] = set()
        self._arrivals = Arrivals(link.comm for link in links.values())
        self._strangers = Strangers(strangers, [link.comm for link in links.values()])
        self.injected = Injected(links)
        self._outbox: Outbox[Frame] = Outbox()
        # A pool for each size that a peer may send.
        self._pools = {
            size_bytes: FramePool(size_bytes)
            for peer in links
            for size_bytes in decoder.frame_sizes(peer.role, node.role)
        }
        self._scrap = Scrap()
        self._status = MPI.Status()

    @property
    def receiving(self) -> bool:
        """Whether a message is arriving."""
        return any(peer.receiving and not peer.gone for peer in self._moving.values())

    @property
    def traffic(self) -> Traffic:
        """Who is there, and what is on its way; for those who watch."""
        return traffic_on(self._peers, self._outbox.replaced.total())

    @property
    def all_left(self) -> bool:
        """Whether no peer needs anything of this node any more."""
        return all(peer.needs_nothing for peer in self._peers.values())

    @property
    def said_farewell(self) -> bool:
        """Whether every living peer has been told that this node is done."""
        return all(
            peer.gone or (TAG_BYE in peer.told and peer.told[TAG_BYE].Test())
            for peer in self._peers.values()
        )

    @property
    def leaving(self) -> Collection[Node]:
        """Peers that leave before the end, by their own word."""
        return self._leaving

    def awaits_votes(self, nodes: Collection[Node]) -> bool:
        """Whether one of these peers may still vote, or has done so and it is not here yet."""
        return not all(self._peers[node].votes_no_more for node in nodes)

    def send(self, receivers: Sequence[Node], message: Message) -> None:
        """Send a message to each receiver, newest wins; one copy of it serves them all."""
        if not receivers:
            return
        with self.account.on(Activity.COPY):
            # Spies besides are sent what the others are: only the observer is sent something else.
            element = self._decoder.element(type(message), receivers[0].role)
            frame = encode(message, element)
        with self.account.on(Activity.SEND):
            for node in receivers:
                if self._peers[node].gone:
                    continue
                if self._outbox.offer(node, frame, type(message)):
                    self._start_sending(node, frame)

    def poll(self, participant: Receiver) -> bool:
        """Move what can be moved, at most one good message per peer.

        Whether anything came, or was sent because something else has arrived; not that a message
        has arrived, which is no news to wait for more of.
        """
        moved = False
        with self.account.on(Activity.RECEIVE):
            arrived = self._arrivals.look()
            for node, peer in list((self._peers if arrived else self._moving).items()):
                if not peer.gone:
                    moved |= self._receive_some(node, peer, participant, arrived)
            moved |= self._strangers.look(participant, arrived)
        self.injected.push()
        if self._moving:
            with self.account.on(Activity.SEND):
                for node, peer in list(self._moving.items()):
                    moved |= self._send_some(node, peer)
                    if peer.gone or not peer.is_moving:
                        del self._moving[node]
        return moved

    def say_leaving(self) -> None:
        """Tell every peer that has been sent all it is to be sent, once: no vote follows."""
        self._say(TAG_LEAVING)

    def say_farewell(self) -> None:
        """Tell every peer that has been sent all it is to be sent, once: nothing is needed."""
        self._say(TAG_BYE)

    def _say(self, word: int) -> None:
        for node, peer in self._peers.items():
            if not peer.gone and word not in peer.told and self._outbox.idle([node]):
                try:
                    link = peer.link
                    peer.told[word] = link.comm.Isend([EMPTY, 0, MPI.BYTE], link.rank, word)
                except MPI.Exception as error:
                    self._lose(node, error)

    def _receive_some(self, node: Node, peer: Peer, to: Receiver, arrived: list[MPI.Comm]) -> bool:
        try:
            moved = peer.link.comm in arrived and self._match_some(node, peer, to)
            if peer.receiving is None and peer.waiting:
                self._start_receiving(peer)
            if peer.receiving is None or not peer.receiving[0].Test():
                return moved
        except MPI.Exception as error:
            self._lose(node, error)
            return False
        frame, peer.receiving = peer.receiving[1], None
        self.account.received_bytes += frame.size
        with self.account.on(Activity.COPY):
            self._decoder.hand_over(frame, node, self._node, to)
        return True

    def _match_some(self, node: Node, peer: Peer, participant: Receiver) -> bool:
        """Take messages off the queue, up to one that can be good; whether there were any."""
        for turn in range(DRAINED_MAX):
            # Every tag: what is not wanted must be drained as well.
            message = peer.link.comm.Improbe(peer.link.rank, MPI.ANY_TAG, self._status)
            if message is None:
                return turn > 0
            tag = self._status.Get_tag()
            # Elements, not count: the count of bytes is undefined from 2^31 on.
            size_bytes = self._status.Get_elements(MPI.BYTE)
            right = tag == TAG_MESSAGE and size_bytes in self._pools
            if right and len(peer.waiting) < WAITING_MAX:
                peer.waiting.append((message, size_bytes))
                self._moving[node] = peer
                return True
            self._scrap.take(message, size_bytes)
            if tag in WORDS and size_bytes == 0 and tag not in peer.heard:
                peer.heard.add(tag)
                if tag == TAG_LEAVING:
                    self._leaving.add(node)
            else:
                participant.reject(node, Fault.EXCESS if right else Fault.SIZE)
        return True

    def _start_receiving(self, peer: Peer) -> None:
        message, size_bytes = peer.waiting.popleft()
        frame = self._pools[size_bytes].lease()
        peer.receiving = message.Irecv([frame, MPI.BYTE]), frame

    def _send_some(self, node: Node, peer: Peer) -> bool:
        if peer.sending is None or peer.gone:
            return False
        try:
            if not peer.sending[0].Test():
                return False
        except MPI.Exception as error:
            self._lose(node, error)
            return False
        peer.sending = None
        following = self._outbox.delivered(node)
        if following is not None:
            self._start_sending(node, following)
        return following is not None

    def _start_sending(self, node: Node, frame: Frame) -> None:
        peer = self._peers[node]
        try:
            request = peer.link.comm.Isend([frame, MPI.BYTE], peer.link.rank, TAG_MESSAGE)
        except MPI.Exception as error:
            self._lose(node, error)
        else:
            # The frame is kept with its request: MPI reads it until the request is done.
            peer.sending = request, frame
            self._moving[node] = peer
            self.account.sent_bytes += frame.size

    def _lose(self, node: Node, error: MPI.Exception) -> None:
        """A call on this peer's link has failed: the peer is dead, or the link to everyone is."""
        if error.Get_error_class() == MPI.ERR_REVOKED:
            raise CommunicatorLost(
                f"a rank has revoked the communicator (seen by {self._node} at {node}): "
                "restart from the checkpoints with the same command"
            ) from error
        # Its requests and their frames are kept: MPI may not be done with the memory.
        self._peers[node].gone = True
        self._outbox.forget(node)
