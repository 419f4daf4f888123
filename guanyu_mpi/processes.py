"""What Linux and MPI launchers tell a process, and do for it when another dies.

python -m guanyu_mpi.processes PARENT COMMAND [ARGUMENT ...] becomes that command, which is told to
end (SIGTERM) when PARENT, the process that started it, is gone, even by SIGKILL.
"""

import ctypes
import os
import signal
import sys
from types import FrameType
from typing import Self

# What users, batch systems, launchers and terminals send to have a process save and end.
LEAVE = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


class ToldToLeave:
    """Whether a signal has told this process to save and leave; the first one decides.

    As a context it listens from its beginning to its end.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self._before = {signum: signal.getsignal(signum) for signum in LEAVE}

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def listen(self) -> None:
        """Take these signals, which would end the process; again after libraries that may."""
        for signum in LEAVE:
            signal.signal(signum, self._note)

    def _note(self, signum: int, _: FrameType | None) -> None:
        if self.by is None:
            self.by = signal.Signals(signum)


def die_with_parent(parent: int | None = None, *, signum: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when its parent is gone: no orphans.

    Who knows its parent's pid ends here if that has gone before the kernel was asked.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum)
    if parent is not None and os.getppid() != parent:
        os._exit(0)


def be_called(name: str) -> None:
    """Have `top` and `ps -o comm` show this process by a name, of which they keep 15 bytes."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NAME, name.encode())


def launched_as() -> int | None:
    """Rank that a launcher has given this process, before MPI is there to ask; None without one.

    Good enough to decide who speaks, and for nothing else: ranks are MPI's to tell.
    """
    for name in ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"):
        rank = os.environ.get(name, "")
        if rank.isdecimal():
            return int(rank)
    return None


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]), signum=signal.SIGTERM)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  (no shell is wanted)
