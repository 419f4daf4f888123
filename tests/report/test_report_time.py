"""Where the ranks' time went, as the page tells it."""

import re
from pathlib import Path

from report_files import write_events, write_run

from guanyu_mpi.journal import rank_log
from guanyu_mpi.report import page

SPENT = {"compute": 4.0, "aggregate": 1.0, "send": 1.0, "receive": 1.0, "idle": 2.0, "wait": 1.0}
WORKED = {"compute": 2.0, "aggregate": 1.0, "send": 0.5, "receive": 0.5}


def told(run_dir: Path, rank: int, *used: dict[str, object]) -> None:
    begun = {"event": "started", "time_s": 0.0, "pid": rank, "host": "here"}
    steps = [{"event": "gradient", "time_s": 1.0, "step": 5, **each} for each in used]
    write_events(rank_log(run_dir, rank), [begun, *steps])


def rows(run_dir: Path) -> dict[str, list[str]]:
    """Cells of the table by what the row is about."""
    html = page([run_dir]).html
    _, _, after = html.partition("Where the ranks&#x27; time went")
    found = re.findall(r"<tr>(.*?)</tr>", after.partition("</table>")[0])
    texts = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in found]
    return {row[0]: row[1:] for row in texts}


def test_time_is_split_into_work_waiting_and_being_held_up(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    told(run_dir, 6, {"spent_s": SPENT, "worked_s": WORKED})
    found = rows(run_dir)
    assert found["ranks"] == ["compute", "aggregate", "communicate", "other", "wait", "held up"]
    assert found["workers"] == ["20 %", "10 %", "10 %", "0 %", "30 %", "30 %"]
    assert "servers" not in found


def test_ranks_of_a_role_are_added_and_the_last_word_of_each_counts(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    early = {"spent_s": {"compute": 1.0}, "worked_s": {"compute": 1.0}}
    told(run_dir, 6, early, {"spent_s": {"compute": 3.0}, "worked_s": {"compute": 3.0}})
    told(run_dir, 7, {"spent_s": {"idle": 1.0}, "worked_s": {}})
    assert rows(run_dir)["workers"] == ["75 %", "0 %", "0 %", "0 %", "25 %", "0 %"]


def test_what_is_no_duration_is_left_out_and_runs_without_any_have_no_table(
    tmp_path: Path,
) -> None:
    run_dir = write_run(tmp_path / "run")
    hostile = {"compute": "long", "send": -1.0, "copy": 1e400, "receive": None, "lunch": 1.0}
    told(run_dir, 6, {"spent_s": hostile, "worked_s": "much"})
    assert rows(run_dir) == {}
