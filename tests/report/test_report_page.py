"""The page as a whole: everything in it, nothing from elsewhere, whatever a run has written."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import WIDTHS, needs_browser, opened, overflow_px
from click.testing import CliRunner
from report_files import HOSTILE, observation, record, write_events, write_run, write_study

from guanyu_mpi.cli import main
from guanyu_mpi.experiment import Status
from guanyu_mpi.journal import observer_log
from guanyu_mpi.report import page
from guanyu_mpi.report.study_section import FAULTS_MAX

AXES = {"rule": ("average", "median"), "attack": ("none", "reverse"), "seed": ("1", "2")}
RESULTS = {
    ("average", "none", "1"): 0.95,
    ("average", "none", "2"): 0.97,
    ("average", "reverse", "1"): 0.11,
    ("median", "none", "1"): 0.94,
    ("median", "reverse", "1"): 0.93,
}


class Outline(HTMLParser):
    """Elements of a page, and the text of those of a class."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_a_run_has_a_chart_of_everything_that_is_measured(tmp_path: Path) -> None:
    html = page([write_run(tmp_path / "run")]).html
    for title in (
        "<b>Accuracy</b> against updates",
        "<b>Accuracy</b> against time",
        "<b>Loss</b> against updates",
        "<b>Loss</b> against time",
        "<b>Drift between honest servers</b>",
        "<b>Alignment of the servers’ differences</b>",
        "<b>Resilience monitor</b>",
        "<b>Quorum membership</b>",
        "<b>Suspicion</b>",
    ):
        assert title in html
    assert "virtual time in s" in html


def test_every_chart_is_well_formed_and_names_its_axes(tmp_path: Path) -> None:
    html = page([write_run(tmp_path / "run"), write_run(tmp_path / "other")]).html
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    charts = [drawing for drawing in map(ET.fromstring, drawings) if drawing.get("role") == "img"]
    assert len(charts) > 15
    for chart in charts:
        assert chart.get("aria-label")
        names = [at.text for at in chart.iter("text") if "axis-name" in str(at.get("class"))]
        assert len([name for name in names if name]) >= 2


def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    outline = Outline(page([write_run(tmp_path / "run")]).html)
    assert not {"script", "img", "iframe", "object", "embed"} & set(outline.tags)
    links = [value for name, value in outline.attributes if name in {"src", "href"}]
    assert links == ["data:,"]


def test_what_a_run_has_written_never_becomes_markup(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "<script>alert(1)<")
    events = [observation(10, warning=HOSTILE), observation(20, quorum=[HOSTILE])]
    write_events(observer_log(run_dir), events)
    for log in (run_dir / "metrics").glob("rank-*.jsonl"):
        hostile = {"event": "rejected", "sender": HOSTILE, "fault": HOSTILE, "times": 9}
        begun = {"event": "started", "host": HOSTILE, "pid": HOSTILE, "time_s": 0.0}
        write_events(log, [begun, hostile])
    folder = write_study(tmp_path / "study", AXES, RESULTS)
    values = {"rule": "median", "attack": "none", "seed": "2"}
    folder.write(record(values, None, status=Status.FAILED, reason=HOSTILE, version=HOSTILE))
    html = page([run_dir, tmp_path / "study", tmp_path / HOSTILE]).html
    assert "script" not in Outline(html).tags
    # It was there, and is told as it is.
    assert html.count("&lt;script&gt;alert(") >= 4


def test_runs_that_cannot_be_shown_are_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    fine = write_run(tmp_path / "fine")
    unfinished = write_run(tmp_path / "unfinished", steps=1000)
    empty = write_run(tmp_path / "unobserved")
    observer_log(empty).unlink()
    nonsense = write_run(tmp_path / "nonsense")
    observer_log(nonsense).write_bytes(b"\x00\xff\n" * 9)
    (tmp_path / "nothing").mkdir()
    torn = write_run(tmp_path / "torn")
    with observer_log(torn).open("ab") as log:
        log.write(b'{"step": 110, "time_')
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "experiment.json").write_bytes(b"\x00{")
    paths = [
        fine,
        unfinished,
        empty,
        nonsense,
        tmp_path / "nothing",
        tmp_path / "gone",
        torn,
        damaged,
    ]
    out = tmp_path / "report.html"
    result = CliRunner().invoke(main, ["report", *map(str, paths), "--out", str(out)])
    assert result.exit_code == 0
    html = out.read_text(encoding="utf-8")
    for told in (
        f"{empty}: its observer has written nothing yet",
        f"{observer_log(nonsense)}: is damaged: there is no observation in it",
        f"{tmp_path / 'nothing'}: is not the directory of a run: it has no config.toml",
        f"{tmp_path / 'gone'}: there is no such directory",
        f"{damaged / 'experiment.json'}: is damaged, or of another version",
    ):
        assert f"Not shown: {told}" in html
        assert f"not shown: {told}" in result.stderr
    assert "unfinished: observed up to step 100 of 1000" in html
    for shown in ("fine", "unfinished", "torn"):
        assert f"<h2>{shown}</h2>" in html


def test_a_report_that_cannot_be_written_is_wrong_input(tmp_path: Path) -> None:
    out = tmp_path / "gone" / "report.html"
    result = CliRunner().invoke(main, ["report", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 2
    assert f"there is no folder {out.parent}" in result.stderr


def test_a_report_on_nothing_is_wrong_input_and_is_not_written(tmp_path: Path) -> None:
    out, gone = tmp_path / "report.html", tmp_path / "gone"
    (tmp_path / "empty").mkdir()
    paths = [str(tmp_path / "empty"), str(gone)]
    result = CliRunner().invoke(main, ["report", *paths, "--out", str(out)])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"guanyu: {tmp_path / 'empty'}: is not the directory of a run: it has no config.toml",
        f"guanyu: {gone}: there is no such directory",
    ]
    assert not out.exists()


def test_the_matrix_marks_the_worst_attack_of_each_rule(tmp_path: Path) -> None:
    write_study(tmp_path / "study", AXES, RESULTS)
    html = page([tmp_path / "study"]).html
    assert len(re.findall(r'<td class="worst', html)) == 2
    assert "▼ 0.110" in html
    assert "▼ 0.930" in html
    # Two seeds, and the mean of them; one of two is told to be one.
    assert "0.960<small>0.950–0.970</small>" in html
    assert "<small>1 of 2</small>" in html
    assert "3</dd>" in html


def test_what_is_no_attack_is_no_worst_case(tmp_path: Path) -> None:
    better = {
        ("median", attack, "1"): 0.9 if attack == "none" else 0.93 for attack in AXES["attack"]
    }
    axes = {**AXES, "attack": ("none", "reverse", "alie")}
    write_study(tmp_path / "study", axes, {**better, ("median", "alie", "1"): 0.95})
    html = page([tmp_path / "study"]).html
    assert "▼ 0.930" in html
    assert "▼ 0.900" not in html


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b'{"cell": "x"}', b"[" * 100_000])
def test_cells_whose_record_cannot_be_read_are_named(tmp_path: Path, content: bytes) -> None:
    folder = write_study(tmp_path / "study", AXES, RESULTS)
    cell = "rule-median_attack-none_seed-1"
    (folder.run_dir(cell) / "record.json").write_bytes(content)
    html = page([tmp_path / "study"]).html
    assert f"<li>Damaged: {cell}: its record.json cannot be read</li>" in html
    # Neither those that have none yet nor those of another configuration.
    folder.write(record({"rule": "median", "attack": "none", "seed": "2"}, 0.9, digest="other"))
    assert page([tmp_path / "study"]).html.count("Damaged") == 1


def test_cells_that_are_done_and_have_no_observation_left_are_named(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", AXES, RESULTS)
    damaged, gone, failed, torn = (
        f"rule-{rule}_attack-{attack}_seed-1" for rule in AXES["rule"] for attack in AXES["attack"]
    )
    observer_log(folder.run_dir(damaged)).write_bytes(b"\x00\n" * 99)
    observer_log(folder.run_dir(gone)).unlink()
    observer_log(folder.run_dir(failed)).unlink()
    values = {"rule": "median", "attack": "none", "seed": "1"}
    folder.write(record(values, None, status=Status.FAILED, reason="killed"))
    observer_log(folder.run_dir(torn)).write_bytes(b'\x00\n{"step": 9, "time_s": 1}\n{"st')
    told = "no observation can be read in its observer’s log"
    html = page([tmp_path / "study"]).html
    for cell in (damaged, gone):
        assert f"<li>Without curves: {cell}: {told}</li>" in html
    assert html.count("Without curves") == 2


def test_of_many_damaged_cells_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    seeds = tuple(map(str, range(FAULTS_MAX + 2)))
    folder = write_study(tmp_path / "study", {"seed": seeds}, {(seed,): 0.9 for seed in seeds})
    for seed in seeds:
        (folder.run_dir(f"seed-{seed}") / "record.json").write_bytes(b"{")
    html = page([tmp_path / "study"]).html
    assert html.count("<li>Damaged: seed-") == FAULTS_MAX
    assert "<li>Damaged: 2 more</li>" in html


def test_a_diverged_cell_is_the_worst(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", AXES, RESULTS)
    values = {"rule": "median", "attack": "reverse", "seed": "1"}
    folder.write(record(values, 0.99, status=Status.DIVERGED))
    assert "▼ diverged" in page([tmp_path / "study"]).html


def test_of_many_curves_each_row_has_its_own_and_its_verdict(tmp_path: Path) -> None:
    attacks = ("none", *(f"attack-{at}" for at in range(9)))
    accuracies = {(rule, attack): 0.9 for rule in ("krum", "median") for attack in attacks}
    accuracies["krum", "attack-3"] = 0.5
    axes = {"rule": ("krum", "median"), "attack": attacks}
    write_study(tmp_path / "study", axes, accuracies)
    html = page([tmp_path / "study"]).html
    for rule in ("krum", "median"):
        assert f"<b>rule {rule}</b> accuracy against updates" in html
        assert f"<b>rule {rule}</b> drift between honest servers against updates" in html
    assert "Named are the first, the lowest and the highest at the end" in html
    assert "<li>krum withstands 8 of 9, and fails under attack-3 (0.500).</li>" in html
    assert "<li>median withstands 9 of 9.</li>" in html


@pytest.mark.parametrize("time", ["virtual", "elapsed", ""])
def test_only_times_of_one_kind_are_compared(tmp_path: Path, time: str) -> None:
    pids = {"virtual": (1, 1), "elapsed": (12, 12), "": (1, 12)}[time]
    runs = [write_run(tmp_path / str(at), pids=number) for at, number in enumerate(pids)]
    compared = page(runs).html.partition("Runs compared")[2].partition("<section>")[0]
    assert ("against time" in compared) == bool(time)
    assert time in compared


@needs_browser
def test_the_page_opens_in_a_browser_without_a_word_in_its_console(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "one"), write_run(tmp_path / "two", steps=1000)]
    write_study(tmp_path / "study", AXES, RESULTS)
    out = tmp_path / "report.html"
    out.write_text(page([*runs, tmp_path / "study"]).html, encoding="utf-8")
    dom, console = opened(out, tmp_path)
    assert console == []
    assert dom.count("<svg") == out.read_text(encoding="utf-8").count("<svg")
    # On a telephone, too, only tables that are wide themselves are scrolled sideways.
    assert [overflow_px(out, width, tmp_path) for width in WIDTHS] == [0, 0]


@needs_browser
def test_errors_of_a_page_would_be_seen(tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text('<p style="width:900px">x</p><script>throw Error("thrown")</script>')
    _, console = opened(broken, tmp_path)
    assert any("thrown" in line for line in console)
    assert overflow_px(broken, 400, tmp_path) > 400
