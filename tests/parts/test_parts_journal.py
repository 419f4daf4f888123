"""What nodes write of themselves."""

import math
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from parts_harness import server, vector, worker

from guanyu_mpi.errors import Fault
from guanyu_mpi.journal import Journal, observer_log, rank_log
from guanyu_mpi.metrics import read_events
from guanyu_mpi.monitor import Measured
from guanyu_mpi.observer import Observation
from guanyu_mpi.protocol.effects import Commit, Halt, Outcome

OBSERVATION = Observation(
    step=4,
    time_s=1.5,
    loss=0.25,
    accuracy=None,
    drift=1e-3,
    drift_alignment=0.75,
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


@contextmanager
def no_file_longer_than(size_bytes: int) -> Iterator[None]:
    """Within, what is written beyond that is cut off, and then an error, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_a_full_disk_does_not_take_is_lost_and_told_once(
    journal: Journal, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for first in (1, 11):
        journal.saved(first)
        with no_file_longer_than(path.stat().st_size + 20):
            journal.saved(first + 1)
            journal.saved(first + 2)
            journal.observed(OBSERVATION)
    journal.saved(21)
    assert [event["step"] for event in read_events(path)] == [1, 11, 21]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all(line.startswith(f"server-02: {path} cannot be written: ") for line in said)


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
            "drift_alignment": 0.75,
            "updates_per_s": 3.0,
            "quorum": ["server-00", "server-02"],
        }
    ]


def test_what_was_measured_is_on_the_line_of_its_observation_with_workers_by_name(
    journal: Journal, path: Path
) -> None:
    shares, ranks = {worker(0): 1.0, worker(3): 0.25}, {worker(0): 0.5, worker(3): 4.0}
    measured = Measured(2, math.inf, 0.0, math.inf, 0.75, 1.0, shares, ranks)
    journal.observed(replace(OBSERVATION, measured=measured))
    (event,) = read_events(path)
    assert (event["step"], event["measured_step"]) == (4, 2)
    assert (event["deviation"], event["margin"], event["sin_alpha"]) == (None, 0.0, None)
    assert (event["alignment"], event["outlying"]) == (0.75, 1.0)
    assert event["selected"] == {"worker-00": 1.0, "worker-03": 0.25}
    assert event["rank"] == {"worker-00": 0.5, "worker-03": 4.0}


def test_how_often_servers_were_far_is_on_the_line_of_an_observation_by_name(
    journal: Journal, path: Path
) -> None:
    journal.observed(replace(OBSERVATION, far={server(0): 0.0, server(5): 0.75}))
    (event,) = read_events(path)
    assert event["far"] == {"server-00": 0.0, "server-05": 0.75}


def test_a_warning_is_said_aloud_and_is_on_the_line_of_its_observation(
    journal: Journal, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.warned("too much noise")
    assert capsys.readouterr().err == "warning: too much noise\n"
    assert read_events(path) == []
    journal.observed(replace(OBSERVATION, warning="too much noise"))
    (event,) = read_events(path)
    assert (event["step"], event["warning"]) == (4, "too much noise")


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    journal = Journal(None, server(2), lambda: 0.0, every=1)
    journal.started()
    journal.gradient(0, 0.5)
    journal.commit(Commit(0, vector(1.0), (), ()))
    journal.rejected(worker(1), Fault.SIZE, 1)
    journal.halted(Halt(Outcome.FINISHED, 0, ""))
    journal.observed(OBSERVATION)
    assert list(tmp_path.iterdir()) == []
