"""The rules' benchmark: everybody's time on the same vectors, then accuracy and MDA's search."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import torch

from guanyu_mpi.aggregation import Aggregator
from guanyu_mpi.aggregation.kernels import default_kernels
from guanyu_mpi.bench.accuracy import distance_error
from guanyu_mpi.bench.contest import BUFFER_BYTES, aggregators, contest
from guanyu_mpi.bench.machine import available_bytes, described, memory_fault, pin
from guanyu_mpi.bench.peers import byzfl_fault
from guanyu_mpi.bench.plan import TARGET_D, TARGET_N, Plan
from guanyu_mpi.bench.report import Contender, Report, Timing
from guanyu_mpi.bench.search import search_seconds
from guanyu_mpi.bench.timing import interleaved
from guanyu_mpi.seeds import stream

# Calls that would take longer are not made: of rules, and of the fallback beside them.
CALL_S_MAX = 5.0
FALLBACK_S_MAX = 2.0


def measure(plan: Plan, say: Callable[[str], None]) -> Report:
    """Everything the plan asks for, on one core; `say` hears what is measured next."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    machine = described(cores=len(os.sched_getaffinity(0)))
    pin()
    torch.set_num_threads(1)
    timings, left_out = _timings(plan, say)
    return Report(
        date=date,
        machine=machine,
        kernels=default_kernels().name,
        buffer_bytes=BUFFER_BYTES,
        timings=tuple(timings),
        left_out=tuple(left_out),
        distance_error=_distance_error(say) if plan.has_target else None,
        search_s=_search_seconds(say) if plan.has_target and "mda" in plan.rules else (),
        binding=str(plan.binding or ""),
    )


def _timings(plan: Plan, say: Callable[[str], None]) -> tuple[list[Timing], list[str]]:
    """What was measured, and why the rest was not."""
    timings: list[Timing] = []
    left_out = [fault] if (fault := byzfl_fault()) else []
    for n in plan.senders:
        found = aggregators(plan, n)
        too_few = [name for name in plan.rules if name not in found]
        left_out += [f"{name} is left out at n = {n}: it needs more vectors" for name in too_few]
        for d in plan.dimensions:
            if fault := memory_fault(n, d, available_bytes()):
                left_out.append(fault)
                continue
            say(f"n = {n}, d = {d:,}")
            quick = {
                name: aggregator
                for name, aggregator in found.items()
                if expected_s(timings, name, Contender.ONE_SHOT, n, d) <= CALL_S_MAX
            }
            if slow := len(found) - len(quick):
                left_out.append(f"{slow} rules are left out at n = {n}, d = {d:,}: too slow")
            timings += _together(plan, quick, n, d, timings)
    return timings, left_out


def expected_s(before: Sequence[Timing], name: str, contender: Contender, n: int, d: int) -> float:
    """What a call should take, going by fewer coordinates; 0 if nothing is known of it."""
    fewer = [t for t in before if (t.name, t.contender, t.n) == (name, contender, n)]
    return fewer[-1].median_s * d / fewer[-1].d if fewer else 0


def _together(
    plan: Plan, quick: Mapping[str, Aggregator], n: int, d: int, before: Sequence[Timing]
) -> list[Timing]:
    """Timings on the same vectors (n, d)."""
    vectors = stream(0, "bench", n, d).standard_normal((n, d), dtype=np.float32)
    # Numpy's kernels are timed beside others, and not beside themselves.
    fallback = [
        name
        for name in quick
        if default_kernels().name != "numpy"
        and expected_s(before, name, Contender.FALLBACK, n, d) <= FALLBACK_S_MAX
    ]
    seconds = interleaved(contest(quick, vectors, fallback), plan.repeats, plan.budget_s)
    return [
        Timing(
            name=key.name,
            contender=key.contender,
            n=n,
            d=d,
            seconds=measured,
            f=quick[key.name].f if key.name in quick else None,
        )
        for key, measured in seconds.items()
    ]


def _distance_error(say: Callable[[str], None]) -> float:
    say("the accuracy of distances")
    return distance_error(TARGET_N, TARGET_D, default_kernels())


def _search_seconds(say: Callable[[str], None]) -> tuple[float, ...]:
    say("the search of mda")
    return search_seconds()
