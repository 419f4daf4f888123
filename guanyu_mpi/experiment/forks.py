"""A process that runs commands of `guanyu` one after another, each in a fork of itself.

Python, numpy and torch are loaded once, which takes longer than many a run; and whatever a command
dies of touches no other.

python -m guanyu_mpi.experiment.forks MODULE ... is such a process, which loads these first. It
takes a line of JSON for each command, its arguments and the file for its output, and answers with
a line that has its exit status. Told to end (SIGTERM), it tells the command, and waits for it.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context

from guanyu_mpi.become import become
from guanyu_mpi.processes import die_with_parent


def serve(modules: Iterable[str]) -> None:
    """Run commands until stdin ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    # A terminal's Ctrl-C reaches everybody: whoever has started this process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in modules:
        # What cannot be loaded is for the command to say, which needs it.
        with suppress(ImportError, OSError):
            import_module(module)
    for line in sys.stdin:
        print(_exit_status(*json.loads(line)), flush=True)


def _exit_status(argv: Sequence[str], log_path: str) -> int | None:
    # Who ends tells its daemons so, and waits for them.
    process = get_context("fork").Process(
        target=_be_a_command, args=(argv, log_path, os.getpid()), daemon=True
    )
    process.start()
    process.join()
    return process.exitcode


def _be_a_command(argv: Sequence[str], log_path: str, parent: int) -> None:
    """Be the command; what it prints goes to the end of a file."""
    die_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    become("guanyu_mpi", argv)


if __name__ == "__main__":
    serve(sys.argv[1:])
