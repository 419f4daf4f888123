"""The benchmark of a step: every contender in turns, batch by batch, so many rounds."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from guanyu_mpi.bench.apart import measured_apart
from guanyu_mpi.bench.ddp_group import Place, measured_ddp, place_to_json
from guanyu_mpi.bench.ddp_loss import measured_loss
from guanyu_mpi.bench.machine import described
from guanyu_mpi.bench.markdown import told
from guanyu_mpi.bench.step_job import measured_job
from guanyu_mpi.bench.step_plan import OF_TORCH, Contender, StepPlan, config
from guanyu_mpi.bench.step_report import Measured, StepReport, from_json
from guanyu_mpi.bench.transport_job import measured_transport
from guanyu_mpi.bench.transport_report import TARGET_BYTES, planned_transport
from guanyu_mpi.costs import traffic
from guanyu_mpi.errors import ConfigError

# Those of ours of which nobody is lost.
WHOLE = (Contender.PLAIN, Contender.GUANYU, Contender.ATTACKED)


def measure(
    plan: StepPlan, say: Callable[[str], None], first_start_s: float | None = None
) -> StepReport:
    """Everything the plan asks for; `say` hears what has been measured."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    machine = described(cores=len(os.sched_getaffinity(0)))
    results = []
    for contender, batch_size in _order(plan):
        found = _measured(plan, contender, batch_size)
        say(f"{contender}, batch {batch_size}: {found.updates_per_s:.3g} updates/s")
        results.append(found)
    loses = Contender.SLOW_DDP in plan.contenders(plan.loss_batch)
    messages = measured_transport(planned_transport([TARGET_BYTES], quick=False))
    share = told(messages.share(TARGET_BYTES), "{:.2f}")
    say(f"messages of {TARGET_BYTES:,} bytes: {share} of the bandwidth of MPI alone")
    return StepReport(
        date=date,
        machine=machine,
        plan=plan,
        dimension=plan.spec.dimension,
        least_bytes={each: _least_bytes(plan, each) for each in WHOLE},
        torch_bytes=int(measured_apart("torch", "")) if plan.spec.needs_data else None,
        first_start_s=first_start_s,
        results=tuple(results),
        alone_bytes=dict(_alone_bytes(plan)),
        loss=measured_loss(plan, plan.loss_batch) if loses else None,
        messages=messages,
    )


def earlier_start_s(path: Path) -> float | None:
    """How long GuanYu took to start, as an earlier report says; raises ConfigError."""
    try:
        return from_json(path.read_text(encoding="utf-8")).start_s
    except OSError as error:
        raise ConfigError(f"--against {path}: {error.strerror}") from error
    # Whatever is no JSON, or no report of this benchmark.
    except ValueError as error:
        raise ConfigError(
            f"--against {path}: is no report that `guanyu bench step --json` has written"
        ) from error


def _alone_bytes(plan: StepPlan) -> Iterator[tuple[int, int]]:
    """What torch takes to train with each batch size, and nobody to exchange anything with."""
    if plan.spec.needs_data:
        for batch_size in plan.batch_sizes:
            place = Place(0, "", batch_size, plan)
            yield batch_size, int(measured_apart("alone", place_to_json(place)))


def _order(plan: StepPlan) -> Iterator[tuple[Contender, int]]:
    """Who runs next, so that no drift of the machine favours the first or the last."""
    for number in range(plan.rounds):
        for batch_size in plan.batch_sizes:
            everybody = plan.contenders(batch_size)
            first = number % len(everybody)
            for contender in everybody[first:] + everybody[:first]:
                yield contender, batch_size


def _measured(plan: StepPlan, contender: Contender, batch_size: int) -> Measured:
    measured = measured_ddp if contender in OF_TORCH else measured_job
    return measured(plan.fitted(contender), contender, batch_size)


def _least_bytes(plan: StepPlan, contender: Contender) -> int:
    cluster = config(plan, contender, plan.batch_sizes[0]).nodes
    return traffic(cluster, plan.spec.dimension).size_bytes
