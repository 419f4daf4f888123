"""What the rules are to reach, and whether they do: at n = 13, d = 1,756,426, on one thread."""

from collections.abc import Callable
from typing import TypeAlias

from guanyu_mpi.bench.plan import TARGET_D, TARGET_N
from guanyu_mpi.bench.report import Contender, Report
from guanyu_mpi.bench.target import Sense, Target

# What a report says of a target, if it was measured.
Figure: TypeAlias = Callable[[Report], float | None]


def _seconds(report: Report, name: str, contender: Contender) -> float | None:
    return report.median_s(name, contender, TARGET_N, TARGET_D)


def _ratio(above: tuple[str, Contender], below: tuple[str, Contender]) -> Figure:
    """How many times longer one takes than another."""

    def figure(report: Report) -> float | None:
        upper, lower = _seconds(report, *above), _seconds(report, *below)
        return None if upper is None or lower is None else upper / lower

    return figure


def _compiled(figure: Figure) -> Figure:
    """A figure that is of compiled kernels, if these are in use."""
    return lambda report: None if report.kernels == "numpy" else figure(report)


def _median_read_share(report: Report) -> float | None:
    seconds = _seconds(report, *_MEDIAN)
    return None if seconds is None else report.read_share(seconds, TARGET_N, TARGET_D)


def _fallback_ratio(report: Report) -> float | None:
    in_use = Contender.ONE_SHOT if report.kernels == "numpy" else Contender.FALLBACK
    return _ratio(_TORCH_MEDIAN, ("median", in_use))(report)


def _over_byzfl(name: str, contender: Contender) -> Figure:
    return _ratio((name, Contender.BYZFL), (name, contender))


_MEDIAN = ("median", Contender.ONE_SHOT)
_TORCH_MEDIAN = ("torch.median", Contender.TORCH)

TARGETS: tuple[Target[Report], ...] = (
    Target(
        "median, compiled: share of the read bandwidth",
        _compiled(_median_read_share),
        Sense.AT_LEAST,
        0.7,
        "{:.0%}",
    ),
    Target(
        "median, compiled: torch.median's time / ours",
        _compiled(_ratio(_TORCH_MEDIAN, _MEDIAN)),
        Sense.AT_LEAST,
        100,
    ),
    Target("median, numpy: torch.median's time / ours", _fallback_ratio, Sense.AT_LEAST, 15),
    Target(
        "median, compiled: last arrival / one-shot",
        _compiled(_ratio(("median", Contender.LAST_ARRIVAL), _MEDIAN)),
        Sense.AT_MOST,
        0.4,
    ),
    Target(
        "trimmed-mean: time / the median's",
        _ratio(("trimmed-mean", Contender.ONE_SHOT), _MEDIAN),
        Sense.AT_MOST,
        1.5,
    ),
    Target(
        "meamed: time / the median's",
        _ratio(("meamed", Contender.ONE_SHOT), _MEDIAN),
        Sense.AT_MOST,
        3,
    ),
    Target(
        "multi-krum: byzfl's time / ours, one-shot",
        _over_byzfl("multi-krum", Contender.ONE_SHOT),
        Sense.AT_LEAST,
        8,
    ),
    Target(
        "multi-krum: byzfl's time / ours, last arrival",
        _over_byzfl("multi-krum", Contender.LAST_ARRIVAL),
        Sense.AT_LEAST,
        25,
    ),
    Target(
        "mda: byzfl's time / ours, one-shot",
        _over_byzfl("mda", Contender.ONE_SHOT),
        Sense.AT_LEAST,
        8,
    ),
    Target(
        "mda: byzfl's time / ours, last arrival",
        _over_byzfl("mda", Contender.LAST_ARRIVAL),
        Sense.AT_LEAST,
        25,
    ),
    Target(
        "geometric-median: byzfl's time / ours, 3 iterations",
        _over_byzfl("geometric-median", Contender.ONE_SHOT),
        Sense.AT_LEAST,
        10,
    ),
    Target(
        "squared distances: relative error, spread / mean 1e-3",
        lambda report: report.distance_error,
        Sense.AT_MOST,
        1e-6,
        "{:.1e}",
    ),
    Target(
        "mda: worst of 200 searches at n = 40, f = 13",
        lambda report: 1e3 * max(report.search_s) if report.search_s else None,
        Sense.AT_MOST,
        50,
        "{:.3g} ms",
    ),
)
