"""A report as lines that read well on a terminal and are Markdown."""

from guanyu_mpi.bench.baselines import baseline
from guanyu_mpi.bench.markdown import UNKNOWN, markdown
from guanyu_mpi.bench.plan import PEER_D_MAX, TARGET_D, TARGET_N
from guanyu_mpi.bench.report import Contender, Report, Timing
from guanyu_mpi.bench.target import judged
from guanyu_mpi.bench.targets import TARGETS

HEADER = ("rule", "f", "ms", "read", "torch", "byzfl", "last ms", "byzfl/last", "numpy ms")


def lines(report: Report) -> list[str]:
    """Everything that a person wants to know of a report."""
    tables = [line for n, d in _settings(report) for line in _setting(report, n, d)]
    title = f"Targets at n = {TARGET_N}, d = {TARGET_D:,}, one thread"
    return [*_head(report), *tables, "", *judged(title, TARGETS, report)]


def _head(report: Report) -> list[str]:
    machine = report.machine
    versions = ", ".join(f"{name} {found}" for name, found in machine.versions.items())
    kernels = "numpy's: no compiled ones" if report.kernels == "numpy" else report.kernels
    return [
        f"# Aggregation rules, {report.date}",
        "",
        f"- {machine.processor}, one of {machine.cores} cores, "
        f"{machine.memory_bytes / 2**30:.0f} GiB, load {machine.load:.1f} before",
        f"- {versions}",
        f"- kernels in use: {kernels}",
        *_notes(report),
    ]


def _notes(report: Report) -> list[str]:
    buffer = f"{report.buffer_bytes / 2**20:.0f} MiB"
    return [
        "- float32, one thread, medians of interleaved calls; ms: all vectors at once, NaN and",
        "  infinity looked for; last ms: what is left to do when the last vector arrives",
        "- read: 4 n d bytes / time, as a share of the bandwidth at which torch.sum reads",
        f"  {buffer} in the same turns; with what the caches hold it can exceed 100 %",
        "- torch, byzfl: how many times longer they take; torch.cdist for rules on distances,",
        "  torch.mean for the average, torch.median for the others. byzfl's rules differ in",
        "  details: its krum counts one neighbour more, its multi-krum averages n - f vectors",
        "- geometric-median, centered-clipping: 3 iterations each, of byzfl's too",
        f"- not measured: torch and byzfl beyond d = {PEER_D_MAX:,}, byzfl's mda on very many",
        "  subsets, numpy's kernels where a call would take seconds or where they are in use",
        *([f"- the rule is bound as configured: {report.binding}"] if report.binding else []),
        *(f"- {reason}" for reason in report.left_out),
    ]


def _settings(report: Report) -> list[tuple[int, int]]:
    """Where anything was measured, (n, d), by d."""
    return sorted({(t.n, t.d) for t in report.timings}, key=lambda at: (at[1], at[0]))


def _setting(report: Report, n: int, d: int) -> list[str]:
    ours = [t for t in report.timings if (t.n, t.d, t.contender) == (n, d, Contender.ONE_SHOT)]
    read_s = report.median_s("read", Contender.READ, n, d)
    bandwidth = UNKNOWN if read_s is None else f"{report.buffer_bytes / read_s / 1e9:.1f} GB/s"
    torch = [
        f"{t.name} {_ms(t.median_s)} ms"
        for t in report.timings
        if (t.n, t.d, t.contender) == (n, d, Contender.TORCH)
    ]
    return [
        "",
        f"## d = {d:,}, n = {n}",
        ", ".join([f"read bandwidth {bandwidth}", *torch]),
        "",
        *markdown(HEADER, [_row(report, timing) for timing in ours]),
    ]


def _row(report: Report, ours: Timing) -> list[str]:
    n, d = ours.n, ours.d
    share = report.read_share(ours.median_s, n, d)
    torch_s = report.median_s(baseline(ours.name), Contender.TORCH, n, d)
    byzfl_s = report.median_s(ours.name, Contender.BYZFL, n, d)
    last_s = report.median_s(ours.name, Contender.LAST_ARRIVAL, n, d)
    return [
        ours.name,
        str(ours.f),
        _ms(ours.median_s),
        UNKNOWN if share is None else f"{share:.0%}",
        _times(torch_s, ours.median_s),
        _times(byzfl_s, ours.median_s),
        _ms(last_s),
        _times(byzfl_s, last_s),
        _ms(report.median_s(ours.name, Contender.FALLBACK, n, d)),
    ]


def _ms(seconds: float | None) -> str:
    """Milliseconds with three digits or more."""
    if seconds is None:
        return UNKNOWN
    ms = 1e3 * seconds
    return f"{ms:.{0 if ms >= 100 else 1 if ms >= 10 else 2}f}"


def _times(theirs: float | None, ours: float | None) -> str:
    return UNKNOWN if theirs is None or ours is None else f"{theirs / ours:.3g}x"
