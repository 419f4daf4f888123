"""What nodes write of themselves."""

import os
import socket
from pathlib import Path

import pytest
from parts_harness import server, vector, worker

from guanyu_mpi.errors import Fault
from guanyu_mpi.journal import Journal, observer_log, rank_log
from guanyu_mpi.metrics import read_events
from guanyu_mpi.observer import Observation
from guanyu_mpi.protocol.effects import Commit, Halt, Outcome

OBSERVATION = Observation(
    step=4,
    time_s=1.5,
    loss=0.25,
    accuracy=None,
    drift=1e-3,
    updates_per_s=3.0,
    quorum=(server(0), server(2)),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return rank_log(tmp_path, 2)


@pytest.fixture
def journal(path: Path) -> Journal:
    return Journal(path, server(2), lambda: 7.5, every=5)


def test_each_rank_has_its_file_and_the_observer_another(tmp_path: Path) -> None:
    assert rank_log(tmp_path, 7) == tmp_path / "metrics" / "rank-007.jsonl"
    assert observer_log(tmp_path) == tmp_path / "metrics" / "observer.jsonl"


def test_every_event_tells_who_and_when(journal: Journal, path: Path) -> None:
    journal.started()
    journal.halted(Halt(Outcome.FINISHED, 20, ""))
    for event in read_events(path):
        assert (event["node"], event["time_s"]) == ("server-02", 7.5)


def test_the_start_tells_where_the_process_is(journal: Journal, path: Path) -> None:
    journal.started()
    (event,) = read_events(path)
    assert event["event"] == "started"
    assert (event["pid"], event["host"]) == (os.getpid(), socket.gethostname())


def test_a_commit_tells_with_whom(journal: Journal, path: Path) -> None:
    journal.commit(Commit(10, vector(1.0), (worker(0), worker(3)), (server(1),)))
    (event,) = read_events(path)
    assert event["event"] == "commit"
    assert event["step"] == 10
    assert event["gradients"] == ["worker-00", "worker-03"]
    assert event["updates"] == ["server-01"]


def test_of_steps_every_kth_is_told(journal: Journal, path: Path) -> None:
    for step in range(12):
        journal.commit(Commit(step, vector(1.0), (), ()))
        journal.gradient(step, 0.5)
    told = [(event["event"], event["step"]) for event in read_events(path)]
    assert told == [(event, step) for step in (0, 5, 10) for event in ("commit", "gradient")]


def test_a_flood_of_bad_frames_does_not_become_a_flood_of_events(
    journal: Journal, path: Path
) -> None:
    for times in range(1, 1001):
        journal.rejected(worker(1), Fault.SIZE, times)
    events = read_events(path)
    assert [event["times"] for event in events] == [2**power for power in range(10)]
    assert {(event["sender"], event["fault"]) for event in events} == {("worker-01", "size")}


def test_the_end_tells_how(journal: Journal, path: Path) -> None:
    journal.halted(Halt(Outcome.DIVERGED, 17, "not finite"))
    (event,) = read_events(path)
    assert event["event"] == "halted"
    assert (event["outcome"], event["step"], event["reason"]) == ("diverged", 17, "not finite")


def test_a_checkpoint_that_was_not_saved_is_told(journal: Journal, path: Path) -> None:
    journal.not_saved(15, "no space left")
    (event,) = read_events(path)
    assert (event["event"], event["step"]) == ("not-saved", 15)
    assert event["reason"] == "no space left"


def test_an_observation_is_a_line_of_its_own_kind(journal: Journal, path: Path) -> None:
    journal.observed(OBSERVATION)
    assert read_events(path) == [
        {
            "step": 4,
            "time_s": 1.5,
            "loss": 0.25,
            "accuracy": None,
            "drift": 1e-3,
            "updates_per_s": 3.0,
            "quorum": ["server-00", "server-02"],
        }
    ]


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    journal = Journal(None, server(2), lambda: 0.0, every=1)
    journal.started()
    journal.gradient(0, 0.5)
    journal.commit(Commit(0, vector(1.0), (), ()))
    journal.rejected(worker(1), Fault.SIZE, 1)
    journal.halted(Halt(Outcome.FINISHED, 0, ""))
    journal.observed(OBSERVATION)
    assert list(tmp_path.iterdir()) == []
