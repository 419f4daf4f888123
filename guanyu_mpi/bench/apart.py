"""Measuring in a process of its own, whose libraries have one thread from the start."""

import os
import subprocess
import sys

from guanyu_mpi.bench.machine import ONE_THREAD
from guanyu_mpi.bench.plan import Plan, plan_to_json
from guanyu_mpi.bench.report import Report, from_json
from guanyu_mpi.errors import InvariantError


def measured_apart(plan: Plan) -> Report:
    """What a new process measures; what it says meanwhile goes to stderr.

    numpy and torch make their threads when they are loaded, so this process cannot take them back.
    """
    finished = subprocess.run(
        [sys.executable, "-m", "guanyu_mpi.bench", plan_to_json(plan)],
        env=os.environ | ONE_THREAD,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise InvariantError(f"the process that measures ended with status {finished.returncode}")
    return from_json(finished.stdout)
