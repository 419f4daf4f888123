"""A report on steps as lines that read well on a terminal and are Markdown."""

from collections.abc import Callable

from guanyu_mpi.account import ASLEEP, Activity
from guanyu_mpi.bench.markdown import UNKNOWN, about, markdown, told
from guanyu_mpi.bench.step_losses import losses
from guanyu_mpi.bench.step_plan import Contender
from guanyu_mpi.bench.step_report import SLOW_WORKER, Measured, Part, State, StepReport
from guanyu_mpi.bench.step_targets import TARGETS
from guanyu_mpi.bench.target import judged
from guanyu_mpi.bench.transport_report import HOW, table
from guanyu_mpi.cluster import Role

SPEEDS = ("", "updates/s", "time / plain", "CPU s/update", "start s", "MB/update", "of least")
AWAKE = tuple(activity for activity in Activity if activity not in ASLEEP)
WORK = ("CPU ms/update", *(activity.value for activity in AWAKE), "all")
STATES = ("a rank", *(state.value for state in State), "MB at most", "all: MB sent")
ROLES = (*(role.value for role in Role), SLOW_WORKER)


def lines(report: StepReport) -> list[str]:
    """Everything that a person wants to know of a report."""
    batches = [line for size in report.plan.batch_sizes for line in _batch(report, size)]
    targets = judged("Targets", TARGETS, report)
    return [*_head(report), *batches, "", *losses(report), *_messages(report), *targets]


def _head(report: StepReport) -> list[str]:
    plan, torch = report.plan, report.torch_bytes
    return [
        f"# A step, {report.date}",
        "",
        *about(report.machine),
        f"- {plan.model}, d = {report.dimension:,}; {plan.servers} servers "
        f"(f = {plan.byzantine_servers}), {plan.workers} workers (f' = {plan.byzantine_workers})",
        "- plain: one server that averages; attacked: by f servers and f' workers; ddp: torch's",
        "  DistributedDataParallel over gloo, as many workers",
        f"- steps {plan.first} to {plan.last} of {plan.steps}, rounds in turns: {plan.rounds}, "
        "medians; one thread per rank",
        "- start s: from starting to the first gradient; of least: of every message once",
        "- CPU ms/update: work of all ranks of a role; by activity, that of their first threads",
        "- a rank's time: running; asleep while a message is arriving (wait) or none is (idle);",
        "  held up: awake, and without a core, or waiting for another thread or the disk",
        f"- MB at most: of one rank; importing torch and nothing else takes {_mb(torch)} MB,",
        f"  training by torch alone {_alone(report)}",
        "- ranks keep the memory that they free, and so do processes of ddp and torch alone",
    ]


def _batch(report: StepReport, size: int) -> list[str]:
    title = f"## batch {size}" if report.plan.spec.needs_data else "## without batches"
    ranks = {
        f"{contender} {role}": part
        for contender in report.plan.contenders(size)
        for role in ROLES
        if (part := report.part(contender, size, role))
    }
    return [
        "",
        title,
        "",
        *markdown(SPEEDS, [_speed(report, each, size) for each in report.plan.contenders(size)]),
        "",
        *markdown(WORK, [_work(name, part) for name, part in ranks.items()]),
        "",
        *markdown(STATES, [_states(name, part) for name, part in ranks.items()]),
    ]


def _speed(report: StepReport, contender: Contender, size: int) -> list[str]:
    def median(figure: Callable[[Measured], float | None]) -> float | None:
        return report.median(figure, contender, size)

    sent, least = median(lambda run: run.sent_bytes), report.least_bytes.get(contender)
    return [
        contender,
        told(report.updates_per_s(contender, size), "{:.3g}"),
        told(report.speed(Contender.PLAIN, contender, size), "{:.2f}"),
        told(median(lambda run: run.cpu_s), "{:.3g}"),
        told(median(lambda run: run.start_s), "{:.1f}"),
        _mb(sent),
        told(sent / least if sent and least else None, "{:.2f}"),
    ]


def _work(name: str, part: Part) -> list[str]:
    """Work of all ranks of a role for an update, by activity."""
    by_activity = [part.worked_s.get(activity) for activity in AWAKE]
    return [name, *(_ms(worked_s) for worked_s in by_activity), _ms(part.cpu_s)]


def _states(name: str, part: Part) -> list[str]:
    shares = [told(part.shares.get(state), "{:.0%}") for state in State]
    return [name, *shares, _mb(part.peak_bytes), _mb(part.sent_bytes)]


def _messages(report: StepReport) -> list[str]:
    """What a message takes, as lines; or none."""
    if report.messages is None:
        return []
    return ["## A message", "", *table(report.messages), "", *HOW, ""]


def _ms(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{1e3 * seconds:.{0 if seconds >= 0.1 else 1}f}"


def _alone(report: StepReport) -> str:
    sizes = [f"{_mb(used)} MB at batch {size}" for size, used in report.alone_bytes.items()]
    return ", ".join(sizes) or UNKNOWN


def _mb(size_bytes: float | None) -> str:
    if size_bytes is None:
        return UNKNOWN
    mb = size_bytes / 1e6
    return f"{mb:,.0f}" if mb >= 100 else f"{mb:.3g}"
