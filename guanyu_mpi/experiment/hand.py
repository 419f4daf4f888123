"""A process that does one cell after another, as the one that has started it sees it."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from guanyu_mpi.console import EXIT_FAILED
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.launch import launcher_environment


class Hand:
    """Runs commands of `guanyu`, one at a time; `modules` are what it loads before the first.

    It is told to end when we are gone, even by SIGKILL.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        python = (sys.executable, "-m")
        guarded = (*python, "guanyu_mpi.processes", str(os.getpid()))
        self._process = subprocess.Popen(
            [*guarded, *python, "guanyu_mpi.experiment.forks", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=launcher_environment(),
            # What it did not take is not kept either: it may be gone.
            bufsize=0,
        )
        commands, answers = self._process.stdin, self._process.stdout
        if commands is None or answers is None:
            raise InvariantError("a process was started with pipes and has none")
        self._commands, self._answers = commands, answers

    def begin(self, argv: Sequence[str], log_path: Path) -> None:
        """Have it run a command, whose output is appended to a file."""
        line = json.dumps([list(argv), str(log_path)]) + "\n"
        # If it has died, that is how the command ends.
        with suppress(BrokenPipeError):
            self._commands.write(line.encode())

    def exit_status(self) -> int | None:
        """How the command has ended, None as long as it runs; asked for until it is known."""
        if not select.select([self._answers], [], [], 0)[0]:
            return None
        answer = self._answers.readline()
        # Who dies without an answer has not finished anything, whatever it says.
        return int(answer) if answer else self._process.wait() or EXIT_FAILED

    @property
    def lives(self) -> bool:
        """Whether it can run another command."""
        return self._process.poll() is None

    def tell(self) -> None:
        """Tell it, and what it runs, to save and leave."""
        self._process.terminate()

    def wait(self, timeout_s: float) -> None:
        """Wait for its end, or bring it about."""
        with self._process as process:
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
