"""Measured beside modelled, in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from calibration import MessageCosts
from known_costs import Known
from loss_run import Measured
from scaling_plan import Job

from guanyu_mpi.bench.markdown import markdown
from guanyu_mpi.bench.report import Machine

TOLERANCE = 0.2
HEADER = (
    *("servers + workers", "ranks", "d", "waits for", "measured ms", "model ms", "off by"),
    *("runs apart", "cores busy", "sent", "seen before"),
)
KNOWN = ("servers + workers", "d", "waits for", "gradient", "rule", "median", "estimates")


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a job, and how much it sent of what there was to be sent."""

    measured: Measured
    sent: float


@dataclass(frozen=True, slots=True)
class Found:
    """The runs of a job."""

    runs: Sequence[Ran]

    @property
    def typical(self) -> Ran:
        """That of median speed."""
        by_speed = sorted(self.runs, key=lambda run: run.measured.updates_per_s)
        return by_speed[len(by_speed) // 2]

    @property
    def apart(self) -> float:
        """How much longer a step of the slowest took than one of the fastest."""
        speeds = [run.measured.updates_per_s for run in self.runs]
        return max(speeds) / min(speeds) - 1


@dataclass(frozen=True, slots=True)
class Compared:
    """A job, what was measured of it, and what the model says with its calibrated costs."""

    job: Job
    known: Known
    costs: MessageCosts
    found: Found
    modelled_s: float
    cores: int

    @property
    def measured_s(self) -> float:
        """Seconds of a step."""
        return 1 / self.found.typical.measured.updates_per_s

    @property
    def off_by(self) -> float:
        """How much longer than measured the model says."""
        return self.modelled_s / self.measured_s - 1

    @property
    def within(self) -> bool:
        """Whether model and measurement are near enough."""
        return abs(self.off_by) <= TOLERANCE

    @property
    def cores_busy(self) -> float:
        """Cores that servers and workers kept busy; the model supposes all that there are."""
        return work_s(self.job, self.found.typical.measured) / self.measured_s


def work_s(job: Job, measured: Measured) -> float:
    """Seconds of a core that servers and workers took for a step."""
    cluster = job.cluster
    return cluster.servers * measured.server_cpu_s + cluster.workers * measured.worker_cpu_s


def lines(machine: Machine, compared: Sequence[Compared]) -> list[str]:
    """The report of one campaign."""
    costs = compared[0].costs
    versions = ", ".join(f"{name} {found}" for name, found in machine.versions.items())
    asked = [each for each in compared if not each.job.calibrates]
    near = sum(each.within for each in asked)
    return [
        f"# 7 to 49 ranks on one machine, and the cost model, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"- {machine.processor}, {machine.cores} cores, {machine.memory_bytes / 2**30:.0f} GiB, "
        f"load {machine.load:.1f} before; {versions}",
        "- the quadratic problem, Multi-Krum, one thread per rank; milliseconds per step by the",
        '  servers\' clocks; "all": quorums are everyone, "declared": 2f + 3 with the largest f',
        "- gradients, rules, medians and estimates were measured alone; the costs of messages are",
        "  calibrated on the work of the jobs marked as seen before: each takes a core "
        f"{1e6 * costs.each_s:.1f} us,",
        f"  and {1e9 * costs.byte_s:.2f} ns per byte",
        "- of several runs the one of median speed counts, and how far the others are apart is",
        "  told; sent: bytes, as a share of every message once. Newest wins leaves out the rest",
        f"- within {TOLERANCE:.0%}: {near} of the {len(asked)} jobs that the model had not seen",
        "",
        *markdown(HEADER, [_row(each) for each in compared]),
        "",
        "What was measured alone, ms of one core:",
        "",
        *markdown(KNOWN, [_known(each) for each in compared]),
    ]


def _row(each: Compared) -> list[str]:
    return [
        *sizes(each.job),
        f"{1e3 * each.measured_s:.1f}",
        f"{1e3 * each.modelled_s:.1f}",
        f"{each.off_by:+.0%}",
        f"{each.found.apart:.0%}",
        f"{each.cores_busy:.2f}",
        f"{each.found.typical.sent:.2f}",
        "yes" if each.job.calibrates else "no",
    ]


def sizes(job: Job) -> list[str]:
    """Servers and workers, ranks, dimension, quorums, as they are told."""
    cluster = job.cluster
    return [
        f"{cluster.servers} + {cluster.workers}",
        str(cluster.num_ranks),
        f"{job.dimension:,}",
        f"{cluster.server_quorum}, {cluster.worker_quorum}",
    ]


def _known(each: Compared) -> list[str]:
    size, _, dimension, quorums = sizes(each.job)
    known = each.known
    times_s = (known.gradient_s, known.rule_s, known.median_s, known.estimate_s)
    return [size, dimension, quorums, *(f"{1e3 * seconds:.2f}" for seconds in times_s)]
