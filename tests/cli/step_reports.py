"""Reports on steps, made up in no time."""

from guanyu_mpi.account import Activity
from guanyu_mpi.bench.report import Machine
from guanyu_mpi.bench.step_plan import Contender, StepPlan, planned_steps
from guanyu_mpi.bench.step_report import Measured, Part, State, StepReport

MACHINE = Machine("a processor", 2, 8 << 30, 0.5, {"numpy": "2.0"})
DIMENSION = 1_000_000


def plan(**fields: object) -> StepPlan:
    usual: dict[str, object] = {
        "model": "cnnet",
        "servers": 6,
        "workers": 18,
        "batches": [],
        "updates": 20,
        "rounds": 3,
    }
    return planned_steps(**{**usual, **fields})


def part(**fields: object) -> Part:
    usual: dict[str, object] = {
        "shares": dict(zip(State, (0.5, 0.1, 0.15, 0.25), strict=True)),
        "worked_s": dict.fromkeys(Activity, 0.25),
        "cpu_s": 2.0,
        "sent_bytes": 3e6,
        "peak_bytes": 400_000_000,
    }
    return Part(**{**usual, **fields})


def run(contender: Contender, updates_per_s: float, batch: int = 128, **parts: Part) -> Measured:
    return Measured(contender, batch, updates_per_s, 40.0, parts)


def report(*results: Measured, first_start_s: float | None = None) -> StepReport:
    return StepReport(
        date="2026-01-01",
        machine=MACHINE,
        plan=plan(),
        dimension=DIMENSION,
        least_bytes={Contender.PLAIN: 2_000_000},
        torch_bytes=250_000_000,
        first_start_s=first_start_s,
        results=results,
        alone_bytes={128: 250_000_000},
    )
