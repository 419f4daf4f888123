"""Ranks where no message of theirs belongs: what they send there is thrown away and counted.

MPI keeps what nobody receives, and every rank can send to every other on each communicator that
both are in. One that carries no messages is one question to MPI. On one that does, those who have
nothing to say there are looked at when something has come.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import cycle, islice

from mpi4py import MPI

from guanyu_mpi.cluster import Node
from guanyu_mpi.errors import Fault
from guanyu_mpi.transport.arrivals import acknowledges
from guanyu_mpi.transport.communicators import Link
from guanyu_mpi.transport.participant import Receiver
from guanyu_mpi.transport.scrap import Scrap

# So many ranks in one look, of 0.3 to 1 us each, beside those who have sent something before.
RANKS_MAX = 64
# So many messages of one rank in one look.
DRAINED_MAX = 512


class Strangers:
    """Links over which a node is sent nothing by honest peers, and the peer at each one's end."""

    def __init__(
        self, links: Sequence[tuple[Node, Link]], in_use: Collection[MPI.Comm] = ()
    ) -> None:
        # Of one handle there may be several objects, which are equal and have no hash.
        comms: list[MPI.Comm] = []
        for _, link in links:
            if link.comm not in comms:
                comms.append(link.comm)
        self._silent = [_Silent(comm, links) for comm in comms if comm not in in_use]
        self._in_use = [_InUse(comm, links) for comm in comms if comm in in_use]

    def look(self, to: Receiver, arrived: Collection[MPI.Comm]) -> bool:
        """Throw away what has come, of communicators in use where something has; whether any."""
        drained = 0
        for silent in self._silent:
            drained += silent.drain(to)
        for comm in self._in_use:
            if comm.is_loud or comm.comm in arrived:
                drained += comm.drain(to)
        return drained > 0


class _Silent:
    """A communicator over which nothing is to come."""

    def __init__(self, comm: MPI.Comm, links: Sequence[tuple[Node, Link]]) -> None:
        self._comm = comm
        self._nodes = {link.rank: node for node, link in links if link.comm == comm}
        self._drain = _Drain(comm)
        # Until MPI does not answer for all any more, because one of them has died.
        self._answers = True

    def drain(self, to: Receiver) -> int:
        """Throw away what has come; how much that was."""
        drained = 0
        try:
            # Its own rank is not among them, and sends itself nothing.
            for source in self._drain.of(MPI.ANY_SOURCE) if self._answers else ():
                drained += 1
                to.reject(self._nodes[source], Fault.STRAY)
        except MPI.Exception:
            self._answers = acknowledges(self._comm)
        return drained


class _InUse:
    """A communicator over which others send messages, and some nothing."""

    def __init__(self, comm: MPI.Comm, links: Sequence[tuple[Node, Link]]) -> None:
        self.comm = comm
        self._nodes = {link.rank: node for node, link in links if link.comm == comm}
        self._turns = cycle(self._nodes)
        self._loud: set[int] = set()
        # Of whom nothing more can come.
        self._dead: set[int] = set()
        self._drain = _Drain(comm)

    @property
    def is_loud(self) -> bool:
        """Whether somebody has sent something in the last look."""
        return bool(self._loud)

    def drain(self, to: Receiver) -> int:
        """Throw away what some have sent; how much that was."""
        some = self._loud.union(islice(self._turns, min(RANKS_MAX, len(self._nodes)))) - self._dead
        drained = {rank: self._drain_one(rank, to) for rank in sorted(some)}
        self._loud = {rank for rank, count in drained.items() if count}
        return sum(drained.values())

    def _drain_one(self, rank: int, to: Receiver) -> int:
        drained = 0
        try:
            for _ in self._drain.of(rank):
                drained += 1
                to.reject(self._nodes[rank], Fault.STRAY)
        except MPI.Exception:
            self._dead.add(rank)
        return drained


class _Drain:
    """Takes messages off a communicator, and throws them away."""

    def __init__(self, comm: MPI.Comm) -> None:
        self._comm = comm
        self._scrap, self._status = Scrap(), MPI.Status()

    def of(self, source: int) -> Iterator[int]:
        """Whom each message is from that has come from a rank or any; raises MPI.Exception."""
        for _ in range(DRAINED_MAX):
            message = self._comm.Improbe(source, MPI.ANY_TAG, self._status)
            if message is None:
                return
            self._scrap.take(message, self._status.Get_elements(MPI.BYTE))
            yield self._status.Get_source()
