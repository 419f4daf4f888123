"""What Linux and MPI launchers tell a process, and do for it when another dies.

python -m guanyu_mpi.processes PARENT COMMAND [ARGUMENT ...] becomes that command, which is told to
end (SIGTERM) when PARENT, the process that started it, is gone, even by SIGKILL.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(signum: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when its parent is gone: no orphans."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum)


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
    die_with_parent(signal.SIGTERM)
    # It may have gone before the kernel was asked.
    if os.getppid() == int(sys.argv[1]):
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  (no shell is wanted)
