"""The outside baseline: processes that train by DistributedDataParallel; torch is theirs alone."""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter

from guanyu_mpi.account import Activity
from guanyu_mpi.bench.apart import program
from guanyu_mpi.bench.machine import ONE_THREAD
from guanyu_mpi.bench.step_faults import not_slow
from guanyu_mpi.bench.step_plan import SLOW_TIMES, Contender, StepPlan
from guanyu_mpi.bench.step_report import SLOW_WORKER, Measured, Part, State
from guanyu_mpi.cluster import Role
from guanyu_mpi.errors import InvariantError

# All are on this machine, whatever its name resolves to.
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo"}


@dataclass(frozen=True, slots=True)
class Place:
    """What one process has to know; all meet through the file `rendezvous`.

    Where anybody is slow, everybody's gradients are measured, and take so many `times` as long.
    """

    rank: int
    rendezvous: str
    batch_size: int
    plan: StepPlan
    times: float | None = None
    # It is killed when it has done so many steps.
    dies_at: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process has taken: when it had its first gradient, by the machine's clock, then
    how long for the steps that count, and how much work; and the most memory it has had. Where
    gradients are measured, their time and work, of all steps.
    """

    first_gradient_s: float
    counted_s: float
    cpu_s: float
    peak_bytes: int
    spent_s: float = 0.0
    worked_s: float = 0.0


def measured_ddp(plan: StepPlan, contender: Contender, batch_size: int) -> Measured:
    """Train by as many processes as there are workers; raises InvariantError if one fails."""
    slow = plan.byzantine_workers if contender is Contender.SLOW_DDP else 0
    well = plan.workers - slow
    with TemporaryDirectory(prefix="guanyu-bench-") as folder:
        places = places_in(Path(folder), plan, batch_size)
        if slow:
            places = [replace(place, times=1.0) for place in places]
            places[well:] = [replace(place, times=SLOW_TIMES) for place in places[well:]]
        begun_s = time.monotonic()
        with running(places) as processes:
            taken = [_taken(process) for process in processes]
    parts = {Role.WORKER.value: _part(plan, taken[:well])}
    if slow:
        parts[SLOW_WORKER] = _part(plan, taken[well:])
    measured = Measured(
        contender,
        batch_size,
        (plan.last - plan.first) / statistics.median(one.counted_s for one in taken),
        min(one.first_gradient_s for one in taken) - begun_s,
        parts,
    )
    if wrong := not_slow(measured):
        raise InvariantError(f"{contender}, batch {batch_size}: {'; '.join(wrong)}")
    return measured


def places_in(folder: Path, plan: StepPlan, batch_size: int) -> list[Place]:
    """The places of processes that meet in a folder."""
    rendezvous = str(folder / "rendezvous")
    return [Place(rank, rendezvous, batch_size, plan) for rank in range(plan.workers)]


def _part(plan: StepPlan, taken: Sequence[Taken]) -> Part:
    worked = statistics.mean(one.cpu_s / one.counted_s for one in taken)
    gradients_s, worked_s = (
        {Activity.COMPUTE: total_s / plan.last} if total_s else {}
        for total_s in (sum(one.spent_s for one in taken), sum(one.worked_s for one in taken))
    )
    return Part(
        shares={State.RUNNING: worked},
        worked_s=worked_s,
        cpu_s=sum(one.cpu_s for one in taken) / (plan.last - plan.first),
        sent_bytes=None,
        peak_bytes=max(one.peak_bytes for one in taken),
        spent_s=gradients_s,
    )


@contextmanager
def running(
    places: Sequence[Place], stderr: int | None = None
) -> Iterator[list["subprocess.Popen[str]"]]:
    """A process for every place; none is left when this block is."""
    environment = LOOPBACK | os.environ | ONE_THREAD
    processes: list[subprocess.Popen[str]] = []
    try:
        for place in places:
            argv = program("ddp", place_to_json(place))
            processes.append(
                subprocess.Popen(
                    argv, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
                )
            )
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


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
