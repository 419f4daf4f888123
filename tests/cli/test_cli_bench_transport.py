"""`guanyu bench transport`: what it is asked for, and what it prints and writes."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import guanyu
from step_reports import MACHINE

from guanyu_mpi.bench.transport_report import (
    TARGET_BYTES,
    Contender,
    Sent,
    TransportReport,
    from_json,
    lines,
    plan_from_json,
    plan_to_json,
    planned_transport,
    to_json,
)


def report_of(raw_s: float, ours_s: float) -> TransportReport:
    seconds = {
        Contender.RAW: (9.0, raw_s, 0.0),
        Contender.OURS: (ours_s,),
        Contender.AWAKE: (raw_s,),
    }
    return TransportReport("2026-01-01", MACHINE, "an MPI", (Sent(TARGET_BYTES, seconds),))


@pytest.mark.mpi
def test_messages_are_timed_between_two_ranks(tmp_path: Path) -> None:
    path = tmp_path / "transport.json"
    arguments = ["bench", "transport", "--quick", "--size", "4000", "--json", str(path)]
    finished = subprocess.run(
        [sys.executable, "-m", "guanyu_mpi", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    found = from_json(path.read_text(encoding="utf-8"))
    (sent,) = found.results
    assert sent.size_bytes == 4000
    assert {*sent.seconds} == {*Contender}
    assert all(second > 0 for timing in sent.seconds.values() for second in timing)
    assert finished.stdout.splitlines() == lines(found)


@pytest.mark.parametrize(("ours_s", "words"), [(1 / 0.91, "met"), (1 / 0.89, "missed")])
def test_what_is_printed_is_medians_and_the_target(ours_s: float, words: str) -> None:
    printed = lines(report_of(1.0, ours_s))
    assert max(map(len, printed)) <= 100
    assert printed[-1].endswith(words)
    (row,) = [line for line in printed if line.startswith("| 7,000,000 ")]
    assert [cell.strip() for cell in row.split("|")][2] == "1000.000"


def test_a_report_survives_its_file_and_a_plan_its_way() -> None:
    report = report_of(1.0, 2.0)
    assert from_json(to_json(report)) == report
    plan = planned_transport([8, 4], quick=False)
    assert plan_from_json(plan_to_json(plan)) == plan
    assert plan.sizes == (4, 8)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--size", "0", "--size 0: needs a multiple of 4 from 4 to 2147483615"),
        ("--size", "6", "--size 6: needs a multiple of 4"),
        ("--size", "2147483648", "--size 2147483648: needs a multiple of 4 from 4 to"),
        ("--json", "nowhere/transport.json", "there is no folder nowhere"),
    ],
)
def test_wrong_input_is_one_line_before_anything_is_measured(
    option: str, value: str, words: str
) -> None:
    result = guanyu("bench", "transport", "--quick", option, value)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert words in line
