"""`guanyu bench checkpoint`: what it is asked for, and what it prints and writes."""

from pathlib import Path

import pytest
from cli_runs import measured, refused

from guanyu_mpi.bench.checkpoint_report import (
    CheckpointReport,
    Contender,
    Saved,
    from_json,
    lines,
    plan_from_json,
    plan_to_json,
    planned_checkpoints,
    to_json,
)
from guanyu_mpi.bench.report import Machine

MACHINE = Machine("a processor", 2, 8 << 30, 0.5, {"numpy": "2.0"})


def report_of(raw_s: float, checkpoint_s: float) -> CheckpointReport:
    seconds = {
        Contender.RAW: (9.0, raw_s, 0.0),
        Contender.CHECKPOINT: (checkpoint_s,),
        Contender.STALL: (0.002,),
    }
    saved = Saved(100_000_000, seconds, (0.5, 0.9, 1.0))
    return CheckpointReport("2026-01-01", MACHINE, "/scratch", (saved,))


def test_all_is_measured_where_it_is_asked_for_and_nothing_stays(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    printed, written = measured(tmp_path, "checkpoint", "--directory", disk, "--dimension", "3000")
    found = from_json(written)
    (saved,) = found.results
    assert (found.directory, saved.dimension) == (str(disk), 3000)
    assert all(second > 0 for timing in saved.seconds.values() for second in timing)
    assert {*saved.seconds} == {*Contender}
    assert all(pace > 0 for pace in saved.pace)
    assert printed.splitlines() == lines(found)
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize(("checkpoint_s", "words"), [(1.2, "met"), (1.3, "missed")])
def test_what_is_printed_is_medians_and_the_target(checkpoint_s: float, words: str) -> None:
    printed = lines(report_of(1.0, checkpoint_s))
    assert max(map(len, printed)) <= 100
    cells = [cell.strip() for cell in printed[-1].strip("|").split("|")]
    assert cells[:3] == ["100,000,000", "400.0", "0.40"]
    assert cells[5:] == ["2.00", "90%", f">= 0.8 {words}"]


def test_a_report_survives_its_file_and_a_plan_its_way(tmp_path: Path) -> None:
    report = report_of(1.0, 2.0)
    assert from_json(to_json(report)) == report
    plan = planned_checkpoints([7, 5], tmp_path, quick=False)
    assert plan_from_json(plan_to_json(plan)) == plan
    assert plan.dimensions == (5, 7)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--dimension", "0", "--dimension 0: needs at least 1"),
        ("--directory", "nowhere", "--directory nowhere: there is no such folder"),
        ("--json", "nowhere/checkpoint.json", "there is no folder nowhere"),
    ],
)
def test_wrong_input_is_one_line_before_anything_is_measured(
    option: str, value: str, words: str
) -> None:
    assert words in refused("bench", "checkpoint", "--quick", option, value)
