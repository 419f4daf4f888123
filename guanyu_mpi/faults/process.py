"""What a fault does to the process that it strikes: this one."""

import os
import resource
import signal
import subprocess
import sys
from typing import NoReturn

from guanyu_mpi.faults.kinds import Injection

# The struck process must not outlive what starts again what it stopped.
WAKE = "guanyu_mpi.faults.wake"


def crash(injection: Injection) -> None:
    """Die of a signal, or leave with an exit code and without a word to MPI."""
    if injection.exit_code is not None:
        os._exit(injection.exit_code)
    die(signal.Signals[injection.signal])


def die(signum: signal.Signals) -> None:
    """Die of a signal, whatever handlers it has."""
    # No core file: it would be written wherever the job was started.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if signum is not signal.SIGKILL:
        signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def hang(_: Injection) -> None:
    """Stop, and never go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


def busy_loop(_: Injection) -> NoReturn:
    """Compute for ever, without a call to MPI."""
    while True:
        pass


def pause(injection: Injection) -> None:
    """Stop, and be woken by a helper after a time."""
    argv = [sys.executable, "-m", WAKE, str(os.getpid()), str(injection.duration_s)]
    helper = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    os.kill(os.getpid(), signal.SIGSTOP)
    helper.wait()
