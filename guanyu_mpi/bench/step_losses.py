"""Stragglers and losses: what is left of the speed, per core, and what that means."""

from guanyu_mpi.bench.markdown import markdown, told
from guanyu_mpi.bench.step_plan import SLOW_TIMES, STRUCK_AT, Contender
from guanyu_mpi.bench.step_report import Loss, Measured, StepReport

HEADINGS = ("", "updates/s", "fault-free", "kept", "kept per core", "slow by")


def kept(report: StepReport) -> float | None:
    """Updates per second with losses, of those of as many who are well, alone."""
    return report.speed(Contender.STRUCK, Contender.ALONE, report.plan.loss_batch)


def kept_per_core(report: StepReport) -> float | None:
    """The same of updates per second and per core that the slow have left to the others."""
    plan, size, cores = report.plan, report.plan.loss_batch, report.machine.cores
    if cores >= plan.servers + plan.workers:
        # The slow have cores of their own.
        return kept(report)

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
        told(report.updates_per_s(contender, size), "{:.3g}"),
        told(report.updates_per_s(other, size), "{:.3g}"),
        told(share, "{:.2f}"),
        told(per_core, "{:.2f}"),
        told(report.median(lambda run: run.slow_times, contender, size), "{:.1f}x"),
    ]


def _how(report: StepReport) -> list[str]:
    plan, size, cores = report.plan, report.plan.loss_batch, report.machine.cores
    f, f_workers = plan.byzantine_servers, plan.byzantine_workers
    length = plan.fitted(Contender.STRUCK)
    used = report.median(lambda run: run.slow_cores, Contender.STRUCK, size)
    whole = report.speed(Contender.STRUCK, Contender.GUANYU, size)
    return [
        f"- struck: from step {STRUCK_AT} on {f} of {plan.servers} servers dead (SIGKILL), and "
        f"{f_workers} of {plan.workers} workers slow;",
        f"  steps {length.first} to {length.last}; updates/s are {told(whole, '{:.2f}')} times "
        "those of guanyu, all well",
        f"- slow: asleep {SLOW_TIMES - 1} times as long as each gradient took, like a slow GPU;",
        "  slow by: measured, how much longer than the others for as much work on gradients",
        f"- fault-free: left alone, only the {plan.servers - f} servers and "
        f"{plan.workers - f_workers} workers that are well, with the same",
        "  quorums, on the same cores, which in both runs all ranks share",
        "- kept per core: updates/s per core that the slow leave to others, of fault-free's on",
        f"  all {cores}: having no slow GPU, the slow took {told(used, '{:.2f}')} of a core",
        *_ddp(report),
    ]


def _ddp(report: StepReport) -> list[str]:
    if report.loss is None:
        return []
    plan = report.plan
    length = plan.fitted(Contender.SLOW_DDP)
    return [
        f"- slow ddp: {plan.byzantine_workers} of {plan.workers} processes slow, nobody dead; "
        f"steps {length.first} to {length.last}; fault-free: ddp;",
        "  all are waited for, slow or not, so that it is not asked what cores the slow leave",
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
