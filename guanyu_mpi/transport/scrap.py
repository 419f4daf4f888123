"""Where messages go that nobody wants."""

import numpy as np
from mpi4py import MPI

# What MPI may hold already is received: no more than it sends ahead on any path of a cluster. A
# larger message is left where it is, with its sender.
SCRAP_BYTES = 1 << 16


class Scrap:
    """Memory that is written to and never read."""

    def __init__(self) -> None:
        self._memory = np.empty(SCRAP_BYTES, np.uint8)

    def take(self, message: MPI.Message, size_bytes: int) -> None:
        """Let go of a matched message of so many bytes."""
        if 0 <= size_bytes <= SCRAP_BYTES:
            # Not waited for: its sender may never send the rest.
            message.Irecv([self._memory, size_bytes, MPI.BYTE]).Free()
