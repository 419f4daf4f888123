"""The outside baseline: processes that train by DistributedDataParallel; torch is theirs alone."""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter

from guanyu_mpi.bench.apart import program
from guanyu_mpi.bench.machine import ONE_THREAD
from guanyu_mpi.bench.step_plan import Contender, StepPlan
from guanyu_mpi.bench.step_report import Measured, Part, State
from guanyu_mpi.cluster import Role
from guanyu_mpi.errors import InvariantError

# All are on this machine, whatever its name resolves to.
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo"}


@dataclass(frozen=True, slots=True)
class Place:
    """What one process has to know; all meet through the file `rendezvous`."""

    rank: int
    rendezvous: str
    batch_size: int
    plan: StepPlan


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process has taken: when it had its first gradient, by the machine's clock, then
    how long for the steps that count, and how much work; and the most memory it has had.
    """

    first_gradient_s: float
    counted_s: float
    cpu_s: float
    peak_bytes: int


def measured_ddp(plan: StepPlan, batch_size: int) -> Measured:
    """Train by as many processes as there are workers; raises InvariantError if one fails."""
    with TemporaryDirectory(prefix="guanyu-bench-") as folder:
        rendezvous = str(Path(folder) / "rendezvous")
        places = [Place(rank, rendezvous, batch_size, plan) for rank in range(plan.workers)]
        begun_s = time.monotonic()
        with _running(places) as processes:
            taken = [_taken(process) for process in processes]
    updates = plan.last - plan.first
    return Measured(
        Contender.DDP,
        batch_size,
        updates / statistics.median(one.counted_s for one in taken),
        min(one.first_gradient_s for one in taken) - begun_s,
        {Role.WORKER.value: _part(taken, updates)},
    )


def _part(taken: Sequence[Taken], updates: int) -> Part:
    worked = statistics.mean(one.cpu_s / one.counted_s for one in taken)
    return Part(
        shares={State.RUNNING: worked},
        worked_s={},
        cpu_s=sum(one.cpu_s for one in taken) / updates,
        sent_bytes=None,
        peak_bytes=max(one.peak_bytes for one in taken),
    )


@contextmanager
def _running(places: Sequence[Place]) -> Iterator[list["subprocess.Popen[str]"]]:
    """A process for every place; none is left when this block is."""
    environment = LOOPBACK | os.environ | ONE_THREAD
    processes: list[subprocess.Popen[str]] = []
    try:
        for place in places:
            argv = program("ddp", place_to_json(place))
            processes.append(
                subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
            )
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _taken(process: "subprocess.Popen[str]") -> Taken:
    printed, _ = process.communicate()
    if process.returncode:
        raise InvariantError(f"a process of DDP ended with status {process.returncode}")
    return _TAKEN.validate_json(printed)


_PLACE = TypeAdapter(Place)
_TAKEN = TypeAdapter(Taken)


def place_to_json(place: Place) -> str:
    """A place as one argument of a command."""
    return _PLACE.dump_json(place).decode()


def place_from_json(text: str) -> Place:
    """The place that `place_to_json` wrote."""
    return _PLACE.validate_json(text)


def taken_to_json(taken: Taken) -> str:
    """What a process has taken, as JSON."""
    return _TAKEN.dump_json(taken).decode()
