"""What a step is to cost at most, and whether it does: cnnet, 6 servers, 18 workers."""

from collections.abc import Callable

from guanyu_mpi.bench.step_losses import kept_per_core
from guanyu_mpi.bench.step_plan import Contender
from guanyu_mpi.bench.step_report import StepReport
from guanyu_mpi.bench.target import Sense, Target
from guanyu_mpi.bench.transport_report import TARGET_BYTES, TARGET_SHARE

# Beside a quorum of models.
VECTORS_KEPT = 3


def overhead(batch_size: int) -> Callable[[StepReport], float | None]:
    """T_guanyu / T_plain - 1."""

    def figure(report: StepReport) -> float | None:
        speed = report.speed(Contender.PLAIN, Contender.GUANYU, batch_size)
        return None if speed is None else speed - 1

    return figure


def over_ddp(batch_size: int) -> Callable[[StepReport], float | None]:
    """Updates per second of plain SGD, of those of DDP."""
    return lambda report: report.speed(Contender.PLAIN, Contender.DDP, batch_size)


def message_share(report: StepReport) -> float | None:
    """Bandwidth of a message of ours, of that of MPI alone."""
    return report.messages.share(TARGET_BYTES) if report.messages else None


def start_share(report: StepReport) -> float | None:
    """Time to the first gradient, of that of an earlier report."""
    start_s, first_s = report.start_s, report.first_start_s
    return None if start_s is None or first_s is None else start_s / first_s


def spare_mb(report: StepReport) -> float | None:
    """What a worker takes beyond torch that trains alone, and (q + 3) vectors."""
    vectors = report.plan.server_quorum + VECTORS_KEPT
    spare = [
        run.parts["worker"].peak_bytes - alone - 4 * vectors * report.dimension
        for run in report.results
        if run.contender is Contender.GUANYU and "worker" in run.parts
        if (alone := report.alone_bytes.get(run.batch_size)) is not None
    ]
    return max(spare) / 1e6 if spare else None


TARGETS: tuple[Target[StepReport], ...] = (
    Target("GuanYu against plain SGD, batch 128", overhead(128), Sense.AT_MOST, 0.1, "{:.1%}"),
    Target("GuanYu against plain SGD, batch 32", overhead(32), Sense.AT_MOST, 0.3, "{:.1%}"),
    Target("plain SGD against DDP, batch 128", over_ddp(128), Sense.AT_LEAST, 1.0),
    Target("plain SGD against DDP, batch 32", over_ddp(32), Sense.AT_LEAST, 1.0),
    Target("f' workers 10x slow, f servers dead, per core", kept_per_core, Sense.AT_LEAST, 0.95),
    Target("the message path against MPI, 7 MB", message_share, Sense.AT_LEAST, TARGET_SHARE),
    Target("start-up, of that of --against", start_share, Sense.AT_MOST, 0.5),
    Target("a worker beyond torch and q + 3 vectors", spare_mb, Sense.AT_MOST, 64, "{:.0f} MB"),
)
