"""How `guanyu bench rules` judges what it has measured."""

from dataclasses import replace

import pytest

from guanyu_mpi.bench.markdown import markdown
from guanyu_mpi.bench.plan import TARGET_D, TARGET_N
from guanyu_mpi.bench.report import Contender, Machine, Report, Timing, from_json, to_json
from guanyu_mpi.bench.tables import lines
from guanyu_mpi.bench.target import Sense, Target, Verdict, verdict
from guanyu_mpi.bench.targets import TARGETS

MACHINE = Machine(processor="abacus", cores=1, memory_bytes=2**30, load=0, versions={})


def timed(name: str, contender: Contender, *seconds: float) -> Timing:
    return Timing(name, contender, TARGET_N, TARGET_D, seconds, 3)


def report(*timings: Timing, kernels: str = "compiled") -> Report:
    return Report(
        date="2026-01-01",
        machine=MACHINE,
        kernels=kernels,
        buffer_bytes=2**28,
        timings=timings,
        left_out=(),
        distance_error=None,
        search_s=(),
    )


def target(words: str) -> Target[Report]:
    (found,) = [target for target in TARGETS if words in target.what]
    return found


def judged(words: str, of: Report) -> Verdict:
    chosen = target(words)
    return verdict(chosen.figure(of), chosen.sense, chosen.bound)


def test_a_report_survives_json() -> None:
    before = replace(report(timed("median", Contender.ONE_SHOT, 0.1, 0.3)), distance_error=1e-9)
    assert from_json(to_json(before)) == before


@pytest.mark.parametrize("sense", Sense)
@pytest.mark.parametrize(
    ("figure", "at_least", "at_most"),
    [
        (0.9, "missed", "met"),
        (1.0, "met", "met"),
        (1.1, "met", "missed"),
        (None, *2 * ("not measured",)),
    ],
)
def test_a_target_is_met_on_its_good_side_and_at_its_bound(
    figure: float | None, at_least: str, at_most: str, sense: Sense
) -> None:
    expected = at_least if sense is Sense.AT_LEAST else at_most
    assert verdict(figure, sense, 1.0) is Verdict(expected)


@pytest.mark.parametrize(("median_s", "expected"), [(0.010, Verdict.MET), (0.011, Verdict.MISSED)])
def test_the_median_is_judged_by_the_torch_median_of_the_same_run(
    median_s: float, expected: Verdict
) -> None:
    measured = report(
        timed("torch.median", Contender.TORCH, 0.9, 1.0, 9.0),
        timed("median", Contender.ONE_SHOT, median_s),
    )
    assert judged("median, compiled: torch", measured) is expected


def test_numpys_kernels_do_not_stand_in_for_compiled_ones() -> None:
    timings = (
        timed("torch.median", Contender.TORCH, 1.0),
        timed("median", Contender.ONE_SHOT, 0.001),
    )
    assert judged("median, compiled: torch", report(*timings)) is Verdict.MET
    assert judged("median, numpy: torch", report(*timings)) is Verdict.NOT_MEASURED
    plain = report(*timings, kernels="numpy")
    assert judged("median, compiled: torch", plain) is Verdict.NOT_MEASURED
    assert judged("median, numpy: torch", plain) is Verdict.MET


def test_the_share_of_bandwidth_counts_every_float_once() -> None:
    # 256 MiB in 8 ms, and 13 vectors at half that speed.
    seconds = 2 * 4 * TARGET_N * TARGET_D / (2**28 / 0.008)
    measured = report(
        timed("read", Contender.READ, 0.008), timed("median", Contender.ONE_SHOT, seconds)
    )
    assert target("read bandwidth").figure(measured) == pytest.approx(0.5)
    assert judged("read bandwidth", measured) is Verdict.MISSED


def test_every_target_has_a_line_even_if_nothing_was_measured() -> None:
    printed = "\n".join(lines(report()))
    assert printed.count(Verdict.NOT_MEASURED) >= len(TARGETS)
    for each in TARGETS:
        assert f"| {each.what} " in printed


def test_columns_line_up_in_plain_text() -> None:
    table = markdown(["rule", "ms"], [["krum", "12"], ["trimmed-mean", "3"]])
    assert len({len(line) for line in table}) == 1
    assert table[1] == "|--------------|---:|"
