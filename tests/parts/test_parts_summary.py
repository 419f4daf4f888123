"""What is said at the end of a run."""

import re
from collections import Counter
from pathlib import Path

import pytest
from parts_harness import server, worker

from guanyu_mpi.checkpoint import Finding, Header, Plan, Survey
from guanyu_mpi.cluster import OBSERVER
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.done import Done
from guanyu_mpi.journal import observer_log
from guanyu_mpi.launch import Verdict
from guanyu_mpi.metrics import EventLog
from guanyu_mpi.observer import Observation
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.simulation import Simulated
from guanyu_mpi.summary import describe, launched, planned, simulated, surveyed

CONFIG: Config = parse_config(
    {
        "run": {"name": "tiny", "steps": 20},
        "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
        "model": {"name": "quadratic"},
        "train": {"learning_rate": 0.1},
    }
)
ALL = tuple(Done(rank, str(CONFIG.nodes.node(rank)), "finished", 20, "") for rank in range(13))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({}, ""),
        ({"accuracy": 0.98765, "step": 4}, "accuracy 0.988"),
        ({"accuracy": None, "loss": 12.3456}, "loss 12.3"),
        ({"loss": None, "drift": 0.00123}, "drift 1.2e-03"),
        (
            {"updates_per_s": 12.34, "loss": 0, "accuracy": 1},
            "accuracy 1.000, loss 0, 12.3 updates/s",
        ),
        ({"loss": "much"}, ""),
        ({"loss": 10**400, "drift": float("inf")}, "drift inf"),
    ],
)
def test_an_observation_is_told_by_what_is_known(event: dict[str, object], text: str) -> None:
    assert describe(event) == text


def test_a_job_that_finished_tells_by_whom_and_where(tmp_path: Path) -> None:
    log = EventLog(observer_log(tmp_path))
    log.record(step=10, loss=3.0)
    log.record(step=20, loss=0.5, accuracy=None, drift=0.25, updates_per_s=8.0)
    assert launched(CONFIG, tmp_path, Verdict(True, ALL, 0)) == [
        "finished: 6 of 6 servers at step 20",
        "last observed: step 20, loss 0.5, drift 2.5e-01, 8.0 updates/s",
        f"run directory: {tmp_path}",
    ]


def test_a_job_that_was_warned_of_tells_it_whenever_that_was(tmp_path: Path) -> None:
    log = EventLog(observer_log(tmp_path))
    log.record(step=0, loss=3.0)
    log.record(step=10, loss=3.0, warning="too much noise")
    log.record(step=20, loss=0.5)
    assert launched(CONFIG, tmp_path, Verdict(True, ALL, 0))[1:3] == [
        "last observed: step 20, loss 0.5",
        "warning: too much noise",
    ]


def test_a_job_that_finished_tells_whom_it_lost(tmp_path: Path) -> None:
    rest = (*ALL[:5], Done(7, "worker-01", "failed", 3, "out of memory"))
    assert launched(CONFIG, tmp_path, Verdict(True, rest, 137)) == [
        "finished: 5 of 6 servers at step 20",
        "  worker-01: failed at step 3: out of memory",
        "said nothing at the end: server-05, worker-00, worker-02, worker-03, worker-04, "
        "worker-05, observer-00",
        f"run directory: {tmp_path}",
    ]


def test_a_job_that_lost_a_rank_without_a_word_shows_the_end_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "mpirun.log"
    log.parent.mkdir()
    log.write_bytes(b"".join(b"line %d \xff\n" % number for number in range(100)))
    lines = launched(CONFIG, tmp_path, Verdict(False, ALL[1:], 1))
    assert [line for line in lines if "log: " in line] == [
        f"  log: line {number} \N{REPLACEMENT CHARACTER}" for number in range(85, 100)
    ]


def test_ranks_that_end_alike_are_told_together_and_need_no_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "mpirun.log"
    log.parent.mkdir()
    log.write_text("server-00: not finite\n")
    diverged = [Done(rank, f"server-0{rank}", "diverged", 7, "not finite") for rank in (0, 1)]
    assert launched(CONFIG, tmp_path, Verdict(False, (*diverged, *ALL[2:]), 1)) == [
        "not finished (launcher status 1)",
        "  server-00, server-01: diverged at step 7: not finite",
        f"run directory: {tmp_path}",
    ]


def test_a_job_that_never_started_tells_what_there_is(tmp_path: Path) -> None:
    lines = launched(CONFIG, tmp_path, Verdict(False, (), 127))
    assert lines[0] == "not finished (launcher status 127)"
    assert re.fullmatch(r"said nothing at the end: server-00, .*, observer-00", lines[1])
    assert lines[2:] == [f"run directory: {tmp_path}"]


def simulation(halts: dict[object, Halt], observation: Observation | None) -> Simulated:
    return Simulated(halts, observation, 1.25, 4000, Counter({OBSERVER: 7}), "abc")  # type: ignore[arg-type]


def test_a_simulation_tells_what_can_be_compared(tmp_path: Path) -> None:
    halts = {node: Halt(Outcome.FINISHED, 20, "") for node in CONFIG.nodes}
    seen = Observation(20, 1.2, 0.5, None, 0.0, 0.0, None, (server(0),))
    assert simulated(CONFIG, simulation(halts, seen)) == [
        "last observed: step 20, loss 0.5, drift 0.0e+00",
        "4000 events in 1.250 s of virtual time, 7 messages replaced by newer ones",
        "trace hash abc",
    ]


def test_a_simulation_tells_who_did_not_finish_and_why() -> None:
    halts = {node: Halt(Outcome.FINISHED, 20, "") for node in CONFIG.nodes}
    halts[server(2)] = Halt(Outcome.DIVERGED, 7, "not finite")
    del halts[worker(4)]
    assert simulated(CONFIG, simulation(halts, None))[2:] == [
        "server-02: diverged at step 7: not finite",
        "worker-04: left behind",
    ]


def test_a_survey_tells_every_file_and_what_a_restart_does() -> None:
    header = Header(20, 0, "", 3, 0, 3)
    findings = (
        Finding(Path("a.h5"), 0, 20, header, None),
        Finding(Path("a.h5"), 0, 10, header, "differs\x1b[2J"),
        Finding(Path("b.h5"), 1, 20, None, "is torn"),
        Finding(Path("b.h5"), 1, 10, None, "is torn"),
    )
    plan = Plan(20, "because", own=(0,), median=(1, 2))
    assert surveyed(Survey(findings, plan)) == [
        "server  valid   remarks",
        "0       20, 10  step 10 differs\N{REPLACEMENT CHARACTER}[2J",
        "1       none    step 20 is torn",
        "                step 10 is torn",
        "2       none",
        *planned(plan),
    ]


@pytest.mark.parametrize(
    ("plan", "lines"),
    [
        (Plan(0, "because"), ["a restart begins at step 0: because"]),
        (Plan(9, "because", own=(0, 1)), ["a restart begins at step 9: because"]),
        (
            Plan(9, "because", own=(0,), median=(1, 2)),
            [
                "a restart begins at step 9: because",
                "  with their own file: server 0",
                "  with the median of the holders': server 1, server 2",
            ],
        ),
        (Plan(None, "because\nof this"), ["a restart refuses to start: because", "  of this"]),
    ],
)
def test_a_plan_says_where_a_restart_begins_and_who_with_what(
    plan: Plan, lines: list[str]
) -> None:
    assert planned(plan) == lines
