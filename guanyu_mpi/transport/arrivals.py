"""Whether any message has come: one question for all peers of a communicator, not one for each."""

import time
from collections.abc import Callable, Iterable

from mpi4py import MPI

LOOKS = 2
# So often every peer is looked at all the same.
LOOK_AT_ALL_EVERY_S = 1.0


class Arrivals:
    """Asks communicators; where a member of one has died, of which MPI cannot be told that this is
    known, it answers for each peer alone.
    """

    def __init__(
        self, comms: Iterable[MPI.Comm], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        # Of one handle there may be several objects, which are equal and have no hash.
        self._comms: list[MPI.Comm] = []
        for comm in comms:
            if comm not in self._comms:
                self._comms.append(comm)
        self._mute: list[MPI.Comm] = []
        self._clock_s = clock_s
        self._look_at_all_s = clock_s() + LOOK_AT_ALL_EVERY_S

    def look(self) -> list[MPI.Comm]:
        """The communicators in which a message may have come, or a member has died."""
        now_s = self._clock_s()
        if now_s >= self._look_at_all_s:
            self._look_at_all_s = now_s + LOOK_AT_ALL_EVERY_S
            return self._comms
        return [comm for comm in self._comms if comm in self._mute or self._ask(comm)]

    def _ask(self, comm: MPI.Comm) -> bool:
        try:
            # An answer is of what was there before; to look again lets in what has come since.
            return any(comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG) for _ in range(LOOKS))
        except MPI.Exception:
            # With ULFM, a question for anyone is an error until the dead are acknowledged. Who
            # they are shows as every peer is looked at now.
            if not acknowledges(comm):
                self._mute.append(comm)
            return True


def acknowledges(comm: MPI.Comm) -> bool:
    """Whether MPI takes it that the dead of a communicator are known."""
    try:
        comm.Ack_failed()
        comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG)
    except (MPI.Exception, NotImplementedError):
        return False
    return True
