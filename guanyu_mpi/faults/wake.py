"""Wakes a process that has stopped itself: python -m guanyu_mpi.faults.wake PID SECONDS

It ends with the process that has started it, and by itself soon after it has done its work.
"""

import os
import signal
import sys
import time
from pathlib import Path

from guanyu_mpi.processes import die_with_parent

POLL_S = 0.01
# Not stopped within this time, it never will be: it was told to stop before this was started.
STOPPING_S_MAX = 30.0


def wake(pid: int, duration_s: float) -> None:
    """Wait until the process has stopped, and so long again; then let it go on."""
    deadline_s = time.monotonic() + STOPPING_S_MAX
    while not _is_stopped(pid) and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
    time.sleep(duration_s)
    os.kill(pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    # The state follows the name, which is in parentheses and may hold anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


if __name__ == "__main__":
    die_with_parent()
    wake(int(sys.argv[1]), float(sys.argv[2]))
