"""Measuring in a process of its own, whose libraries have one thread from the start."""

import os
import subprocess
import sys

from guanyu_mpi.bench.machine import ONE_THREAD
from guanyu_mpi.errors import InvariantError


def measured_apart(benchmark: str, plan: str) -> str:
    """The report of a new process, as JSON, as the plan is; what it says meanwhile goes to stderr.

    numpy and torch make their threads when they are loaded, so this process cannot take them back.
    """
    finished = subprocess.run(
        [sys.executable, "-m", "guanyu_mpi.bench", benchmark, plan],
        env=os.environ | ONE_THREAD,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise InvariantError(f"the process that measures ended with status {finished.returncode}")
    return finished.stdout
