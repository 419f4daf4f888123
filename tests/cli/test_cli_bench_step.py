"""`guanyu bench step`: what it runs, how it judges, and a small one of real processes."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cli_runs import guanyu
from step_reports import DIMENSION, MACHINE, part, plan, report, run

from guanyu_mpi.account import Activity
from guanyu_mpi.bench import __main__ as bench
from guanyu_mpi.bench import ddp
from guanyu_mpi.bench.ddp_group import Place, Taken, measured_ddp, place_to_json
from guanyu_mpi.bench.step_logs import parts, updates_per_s
from guanyu_mpi.bench.step_plan import Contender, config
from guanyu_mpi.bench.step_report import State, StepReport, from_json, to_json
from guanyu_mpi.bench.step_tables import lines
from guanyu_mpi.bench.step_targets import TARGETS
from guanyu_mpi.bench.target import Verdict, verdict
from guanyu_mpi.bench.transport_report import TARGET_BYTES, Sent, TransportReport
from guanyu_mpi.bench.transport_report import Contender as Sender
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import EventLog

SMALL = ("--model", "quadratic", "--servers", "3", "--workers", "3", "--updates", "8")


def judged(words: str, of: StepReport) -> tuple[float | None, Verdict]:
    (target,) = [target for target in TARGETS if words in target.what]
    figure = target.figure(of)
    return figure, verdict(figure, target.sense, target.bound)


def test_plain_is_one_server_that_averages_all_and_tolerates_nobody() -> None:
    found = config(plan(), Contender.PLAIN, 32)
    assert (found.nodes.servers, found.nodes.workers, found.nodes.worker_quorum) == (1, 18, 18)
    assert found.aggregation.gradients == "average"
    assert found.train.batch_size == 32
    assert not found.attackers


def test_guanyu_declares_as_many_as_it_tolerates_and_only_attacked_has_attackers() -> None:
    declared, attacked = (
        config(plan(), each, 128) for each in (Contender.GUANYU, Contender.ATTACKED)
    )
    assert declared.nodes == attacked.nodes == Cluster(6, 1, 5, 18, 5, 13)
    assert not declared.attackers
    assert [node.role for node in sorted(attacked.attackers)] == [Role.SERVER] + 5 * [Role.WORKER]


def test_steps_that_count_are_told_at_both_ends_and_are_not_the_last() -> None:
    for updates in (4, 7, 20):
        found = plan(updates=updates)
        assert found.first % found.told_every == found.last % found.told_every == 0
        assert 0 < found.first < found.last < found.steps


@pytest.mark.parametrize(
    ("speed", "figure", "expected"), [(0.5, 1.0, "missed"), (0.95, 1 / 19, "met")]
)
def test_overhead_is_by_how_much_an_update_takes_longer_than_plain(
    speed: float, figure: float, expected: str
) -> None:
    of = report(
        run(Contender.PLAIN, 0.5),
        run(Contender.PLAIN, 1.0),
        run(Contender.PLAIN, 9.0),
        run(Contender.GUANYU, speed),
        run(Contender.GUANYU, 9.0, batch=32),
    )
    assert judged("GuanYu against plain SGD, batch 128", of) == (
        pytest.approx(figure),
        Verdict(expected),
    )
    assert judged("GuanYu against plain SGD, batch 32", of)[1] is Verdict.NOT_MEASURED


def test_plain_is_judged_by_ddp_of_the_same_batch() -> None:
    of = report(run(Contender.PLAIN, 3.0), run(Contender.DDP, 2.0), run(Contender.DDP, 9.0, 32))
    assert judged("plain SGD against DDP, batch 128", of) == (1.5, Verdict.MET)
    assert judged("plain SGD against DDP, batch 32", of) == (None, Verdict.NOT_MEASURED)


def test_a_worker_may_take_torch_and_a_quorum_of_models_and_a_little_more() -> None:
    vectors = (5 + 3) * 4 * DIMENSION
    for spare, expected in ((64_000_000, Verdict.MET), (64_100_000, Verdict.MISSED)):
        worker = part(peak_bytes=250_000_000 + vectors + spare)
        of = report(run(Contender.GUANYU, 1.0, worker=worker, server=part(peak_bytes=10**10)))
        assert judged("a worker beyond torch", of)[1] is expected


@pytest.mark.parametrize(("ours_s", "expected"), [(1 / 0.91, "met"), (1 / 0.89, "missed")])
def test_a_message_is_judged_by_mpi_alone(ours_s: float, expected: str) -> None:
    seconds = {Sender.RAW: (1.0,), Sender.OURS: (ours_s,), Sender.AWAKE: (1.0,)}
    messages = TransportReport("2026-01-01", MACHINE, "an MPI", (Sent(TARGET_BYTES, seconds),))
    of = replace(report(), messages=messages)
    assert judged("the message path", of) == (pytest.approx(1 / ours_s), Verdict(expected))
    assert from_json(to_json(of)) == of
    assert any(line.startswith("| 7,000,000 ") for line in lines(of))
    assert judged("the message path", report())[1] is Verdict.NOT_MEASURED


def test_start_up_is_compared_with_an_earlier_report() -> None:
    of = report(run(Contender.GUANYU, 1.0), first_start_s=100.0)
    assert judged("start-up", of) == (0.4, Verdict.MET)
    assert judged("start-up", report(run(Contender.GUANYU, 1.0)))[1] is Verdict.NOT_MEASURED


def test_what_is_printed_is_markdown_of_100_columns_and_a_report_survives_its_file() -> None:
    of = report(
        run(Contender.PLAIN, 0.5, server=part(), worker=part(), observer=part()),
        run(Contender.DDP, 0.4, worker=part(sent_bytes=None, worked_s={}, shares={})),
    )
    assert from_json(to_json(of)) == of
    printed = lines(of)
    assert max(map(len, printed)) <= 100
    rows = {line.split("|")[1].strip(): line for line in printed if line.startswith("| plain")}
    cells = [cell.strip() for cell in rows["plain worker"].split("|")]
    assert cells[2:] == ["50%", "10%", "15%", "25%", "400", "3", ""]
    for target in TARGETS:
        assert any(line.startswith(f"| {target.what} ") for line in printed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "lunch"], "unknown model 'lunch'"),
        (["--servers", "2"], "--servers 2: needs at least 3"),
        (["--workers", "0"], "--workers 0: needs at least 3"),
        (["--updates", "3"], "--updates 3: needs at least 4"),
        (["--batch", "0"], "--batch 0: needs at least 1"),
        (["--model", "quadratic", "--batch", "8"], "has no data, and no batches"),
        (["--against", "nowhere.json"], "--against nowhere.json: No such file"),
        (["--against", __file__], "is no report that `guanyu bench step --json` has written"),
        (["--json", "nowhere/step.json"], "there is no folder nowhere"),
    ],
)
def test_wrong_input_is_one_line_before_anything_is_measured(
    arguments: list[str], words: str
) -> None:
    result = guanyu("bench", "step", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert words in line


def told(step: int, time_s: float, **used: object) -> Mapping[str, object]:
    zeros = dict.fromkeys(map(str, Activity), 0.0)
    usual = {"spent_s": zeros, "worked_s": zeros, "cpu_s": 0.0, "peak_bytes": 5}
    return {"step": step, "time_s": time_s, **usual, "sent_bytes": 0, **used}


def test_only_what_happened_between_the_steps_that_count_is_measured(tmp_path: Path) -> None:
    chosen, cluster = plan(), Cluster(1, 0, 1, 18, 0, 18)
    zeros = dict.fromkeys(map(str, Activity), 0.0)
    log = EventLog(rank_log(tmp_path, 0))
    log.record(**told(0, 0.0))
    log.record(**told(chosen.first, 10.0, cpu_s=7.0, sent_bytes=100))
    used = {
        "cpu_s": 17.0,
        "sent_bytes": 500,
        "spent_s": {**zeros, "send": 10.0, "idle": 10.0},
        "worked_s": {**zeros, "send": 5.0},
    }
    log.record(**told(chosen.last, 30.0, **used))
    log.record(**told(chosen.steps, 99.0, cpu_s=99.0))
    speed = updates_per_s(chosen, cluster, tmp_path)
    assert speed == (chosen.last - chosen.first) / 20.0
    (server,) = parts(chosen, cluster, tmp_path, speed).values()
    assert server.cpu_s == pytest.approx(10.0 / (chosen.last - chosen.first))
    assert server.sent_bytes == pytest.approx(400 / (chosen.last - chosen.first))
    assert server.worked_s[Activity.SEND] == pytest.approx(server.cpu_s / 2)
    assert server.shares == {
        State.RUNNING: 0.25,
        State.WAIT: 0.0,
        State.IDLE: 0.5,
        State.HELD_UP: 0.25,
    }


@pytest.mark.mpi
def test_a_small_one_runs_everybody_and_tells_what_their_time_went_into(tmp_path: Path) -> None:
    path = tmp_path / "step.json"
    arguments = ["bench", "step", *SMALL, "--rounds", "1", "--json", str(path)]
    finished = subprocess.run(
        [sys.executable, "-m", "guanyu_mpi", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr
    found = from_json(path.read_text(encoding="utf-8"))
    assert [run.contender for run in found.results] == list(found.plan.contenders(1))
    for each in found.results:
        assert each.updates_per_s > 0
        assert each.start_s > 0
        for role in ("server", "worker"):
            one = each.parts[role]
            assert sum(one.shares.values()) == pytest.approx(1, abs=0.05)
            # Other threads work, too, and a rank before its account begins does not count.
            assert 0 < sum(one.worked_s.values()) <= 1.05 * one.cpu_s
        assert each.parts["worker"].worked_s[Activity.COMPUTE] > 0
        assert each.parts["server"].worked_s[Activity.AGGREGATE] > 0
        # Every message once, and what the observer is sent besides.
        assert each.sent_bytes is not None
        assert 0.9 < each.sent_bytes / found.least_bytes[each.contender] < 2
    assert found.messages is not None
    assert found.messages.share(TARGET_BYTES) is not None
    assert finished.stdout.splitlines() == lines(found)


@pytest.mark.parametrize(("trains", "as_what"), [("take_part", "ddp"), ("alone", "alone")])
def test_a_process_of_torch_keeps_the_memory_that_it_frees_as_ranks_do(
    trains: str, as_what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    monkeypatch.setattr(bench, "keep_freed_memory", lambda: done.append("kept"))
    monkeypatch.setattr(ddp, trains, lambda _: done.append("trained") or Taken(0.0, 1.0, 1.0, 1))
    getattr(bench, f"_{as_what}")(place_to_json(Place(0, "", 32, plan())))
    assert done == ["kept", "trained"]


def test_the_outside_baseline_trains_as_many_processes_as_there_are_workers() -> None:
    small = plan(model="mlp", workers=3, batches=[4], updates=4)
    found = measured_ddp(small, Contender.DDP, 4)
    assert found.updates_per_s > 0
    assert found.start_s > 0
    assert found.parts["worker"].cpu_s > 0
