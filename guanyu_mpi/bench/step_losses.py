"""Stragglers and losses: what is left of the speed, per core, and what that means."""

from guanyu_mpi.bench.markdown import UNKNOWN, markdown
from guanyu_mpi.bench.step_plan import SLOW_TIMES, STRUCK_AT, Contender
from guanyu_mpi.bench.step_report import Loss, Measured, StepReport

HEADINGS = ("", "updates/s", "fault-free", "kept", "kept per core", "slow by")


def kept(report: StepReport) -> float | None:
    """Updates per second with losses, of those of as many who are well, alone."""
    return report.speed(Contender.STRUCK, Contender.ALONE, report.plan.loss_batch)


def kept_per_core(report: StepReport) -> float | None:
    """The same of updates per second and per core that the slow have left to the others."""
    size, cores = report.plan.loss_batch, report.machine.cores

    def per_core(run: Measured) -> float | None:
        return None if run.slow_cores is None else run.updates_per_s / (cores - run.slow_cores)

    struck = report.median(per_core, Contender.STRUCK, size)
    alone = report.updates_per_s(Contender.ALONE, size)
    return None if struck is None or alone is None else struck / (alone / cores)


def kept_by_ddp(report: StepReport) -> float | None:
    """The same of DDP: all processes share the cores, and all are waited for, slow or not."""
    return report.speed(Contender.SLOW_DDP, Contender.DDP, report.plan.loss_batch)


def losses(report: StepReport) -> list[str]:
    """How fast everybody is with losses and without, and what is compared, as lines; or none."""
    plan = report.plan
    size = plan.loss_batch
    if Contender.STRUCK not in plan.contenders(size):
        return []
    title = f"## Stragglers and losses{f', batch {size}' if plan.spec.needs_data else ''}"
    rows = [_row(report, Contender.STRUCK, Contender.ALONE, kept(report), kept_per_core(report))]
    if Contender.SLOW_DDP in plan.contenders(size):
        by_ddp = kept_by_ddp(report)
        rows.append(_row(report, Contender.SLOW_DDP, Contender.DDP, by_ddp, by_ddp))
    return [title, "", *markdown(HEADINGS, rows), "", *_how(report), ""]


def _row(
    report: StepReport,
    contender: Contender,
    other: Contender,
    share: float | None,
    per_core: float | None,
) -> list[str]:
    size = report.plan.loss_batch
    return [
        contender,
        _told(report.updates_per_s(contender, size), "{:.3g}"),
        _told(report.updates_per_s(other, size), "{:.3g}"),
        _told(share, "{:.2f}"),
        _told(per_core, "{:.2f}"),
        _told(report.median(lambda run: run.slow_times, contender, size), "{:.1f}x"),
    ]


def _how(report: StepReport) -> list[str]:
    plan, size, cores = report.plan, report.plan.loss_batch, report.machine.cores
    f, f_workers = plan.byzantine_servers, plan.byzantine_workers
    used = report.median(lambda run: run.slow_cores, Contender.STRUCK, size)
    whole = report.speed(Contender.STRUCK, Contender.GUANYU, size)
    return [
        f"- struck: at step {STRUCK_AT} of {plan.servers} servers {f} killed (SIGKILL), of "
        f"{plan.workers} workers {f_workers} slow from then on;",
        f"  updates/s {_told(whole, '{:.2f}')} times those of guanyu, whose nodes are all well",
        f"- slow: asleep {SLOW_TIMES - 1} times as long as a gradient has taken, as on a slow GPU; by:",
        "  as measured, the time of as much work on gradients, of that of the others",
        f"- fault-free: left alone, the {plan.servers - f} servers and {plan.workers - f_workers} "
        "workers that are well; same quorums and cores",
        "- kept per core: updates/s per core that the slow ones leave to the others, against those",
        f"  of fault-free on all {cores}; for want of such a GPU the slow took "
        f"{_told(used, '{:.2f}')} of a core",
        *_ddp(report),
    ]


def _ddp(report: StepReport) -> list[str]:
    if report.loss is None:
        return []
    plan = report.plan
    return [
        f"- slow ddp: of {plan.workers} processes {plan.byzantine_workers} slow, nobody dead; "
        "fault-free: ddp. All are waited for",
        f"- ddp with one process killed: {_fate(report.loss)}",
    ]


def _fate(loss: Loss) -> str:
    """What became of the others, in words."""
    if loss.failed == loss.others:
        return f"the job ends; all others failed within {loss.waited_s:.1f} s"
    waiting = loss.others - loss.failed - loss.finished
    return (
        f"after {loss.waited_s:.0f} s, of {loss.others} others {loss.failed} had failed, "
        f"{loss.finished} finished, {waiting} waited"
    )


def _told(figure: float | None, form: str) -> str:
    return UNKNOWN if figure is None else form.format(figure)
