"""Whether any message has come: one question for all peers of a communicator, not one for each."""

from collections.abc import Iterable

from mpi4py import MPI

LOOKS = 2


class Arrivals:
    """Asks communicators, until a member of one has died: then MPI answers for each peer alone."""

    def __init__(self, comms: Iterable[MPI.Comm]) -> None:
        # Of one handle there may be several objects, which are equal and have no hash.
        self._comms: list[MPI.Comm] = []
        for comm in comms:
            if comm not in self._comms:
                self._comms.append(comm)
        self._mute: list[MPI.Comm] = []

    def look(self) -> list[MPI.Comm]:
        """The communicators in which a message may have come."""
        return [comm for comm in self._comms if comm in self._mute or self._ask(comm)]

    def _ask(self, comm: MPI.Comm) -> bool:
        try:
            # An answer is of what was there before; to look again lets in what has come since.
            return any(comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG) for _ in range(LOOKS))
        except MPI.Exception:
            # With ULFM, a question for anyone is an error as long as a dead member is known.
            self._mute.append(comm)
            return True
