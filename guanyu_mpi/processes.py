"""What Linux does for us when a process dies.

python -m guanyu_mpi.processes COMMAND [ARGUMENT ...] becomes that command, which is told to end
(SIGTERM) when the process that started it is gone, even by SIGKILL.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(signum: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when its parent is gone: no orphans."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum)


if __name__ == "__main__":
    die_with_parent(signal.SIGTERM)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  (no shell is wanted)
