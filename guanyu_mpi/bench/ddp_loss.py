"""What becomes of DDP when one of its processes is killed: no figure, but whether it ends."""

import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from guanyu_mpi.bench.ddp_group import places_in, running
from guanyu_mpi.bench.step_plan import STRUCK_AT, StepPlan
from guanyu_mpi.bench.step_report import Loss
from guanyu_mpi.errors import InvariantError

# Until then it has started and done its steps; and as long the others are waited for after that.
DEATH_S_MAX = 600.0
PATIENCE_S = 60.0


def measured_loss(plan: StepPlan, batch_size: int) -> Loss:
    """Kill one process when all have done a step, and see what the others do.

    Raises InvariantError if it did not die of that.
    """
    with TemporaryDirectory(prefix="guanyu-bench-") as folder:
        *others, last = places_in(Path(folder), plan, batch_size)
        places = [*others, replace(last, dies_at=STRUCK_AT)]
        # What they say of it is long, and everybody says it.
        with running(places, subprocess.DEVNULL) as (*survivors, dead):
            if _status(dead, time.monotonic() + DEATH_S_MAX) != -signal.SIGKILL:
                raise InvariantError(f"a process of DDP was not killed: {dead.returncode}")
            begun_s = time.monotonic()
            found = [_status(process, begun_s + PATIENCE_S) for process in survivors]
            waited_s = time.monotonic() - begun_s
    failed = sum(status not in {None, 0} for status in found)
    return Loss(len(found), failed, found.count(0), waited_s)


def _status(process: "subprocess.Popen[str]", deadline_s: float) -> int | None:
    """With what a process ends; None if it does not until then."""
    try:
        return process.wait(max(0.0, deadline_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
