"""Measuring in processes of their own, whose libraries have one thread from the start."""

import os
import subprocess
import sys

from guanyu_mpi.bench.machine import ONE_THREAD
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.launch import by_mpirun, find_launcher, running


def program(benchmark: str, plan: str) -> list[str]:
    """The command line of a process that measures."""
    return [sys.executable, "-m", "guanyu_mpi.bench", benchmark, plan]


def measured_apart(benchmark: str, plan: str) -> str:
    """The report of a new process, as JSON, as the plan is; what it says meanwhile goes to stderr.

    numpy and torch make their threads when they are loaded, so this process cannot take them back.
    """
    finished = subprocess.run(
        program(benchmark, plan),
        env=os.environ | ONE_THREAD,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return _report(finished.stdout, finished.returncode)


def measured_by_ranks(benchmark: str, plan: str, num_ranks: int) -> str:
    """The report of so many MPI ranks, of which one prints it."""
    launcher, library = find_launcher()
    argv = by_mpirun(launcher, library, num_ranks, program(benchmark, plan))
    with running(argv, subprocess.PIPE, None) as process:
        printed, _ = process.communicate()
    return _report(printed.decode(), process.returncode)


def _report(printed: str, status: int) -> str:
    if status:
        raise InvariantError(f"the process that measures ended with status {status}")
    return printed
