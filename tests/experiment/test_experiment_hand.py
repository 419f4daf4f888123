"""A process that does one cell after another: what a cell's end does to it, and its own."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from experiment_files import started, write_experiment
from waiting import until

from guanyu_mpi.experiment import Folder, Record, Status, load_experiment
from guanyu_mpi.experiment.hand import Hand
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import read_events

# The first of them is still at work when somebody kills it.
LENGTHS = {"long": {"run": {"steps": 1_000_000}}, "short": {}}


@pytest.fixture
def hand() -> Iterator[Hand]:
    made = Hand(["guanyu_mpi.cli", "no.such.module"])
    yield made
    made.tell()
    made.wait(60.0)


def ended(hand: Hand) -> int:
    while (status := hand.exit_status()) is None:
        time.sleep(0.01)
    return status


def test_commands_end_as_they_would_alone_and_say_so_in_their_own_files(
    tmp_path: Path, hand: Hand
) -> None:
    logs = [tmp_path / name for name in ("first", "wrong", "last")]
    statuses = []
    for argv, log in zip((["--version"], ["no-such"], ["--version"]), logs, strict=True):
        hand.begin(argv, log)
        statuses.append(ended(hand))
    said = [log.read_text(encoding="utf-8") for log in logs]
    assert statuses == [0, 2, 0]
    assert "version" in said[0]
    assert "No such command 'no-such'" in said[1]
    assert said[2] == said[0]
    assert hand.lives


def test_what_is_asked_of_one_that_is_gone_has_failed(tmp_path: Path, hand: Hand) -> None:
    hand.begin(["--version"], tmp_path / "log")
    assert ended(hand) == 0
    hand.tell()
    until(lambda: not hand.lives)
    hand.begin(["--version"], tmp_path / "log")
    assert ended(hand) != 0


def after_killing(directory: Path, whom: Callable[[int], int]) -> tuple[Record, Record]:
    """What comes of two cells, while the first of which somebody is killed."""
    path, run_dir = write_experiment(directory, {"length": LENGTHS}), directory / "run"
    process = started(path, run_dir, "--jobs", "1")
    log = rank_log(run_dir / "cells" / "length-long", 0)
    until(lambda: any("pid" in event for event in read_events(log)))
    cell = int(str(read_events(log)[0]["pid"]))
    os.kill(whom(cell), signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1, output
    assert "1 of 2 cells are done; the same command tries the others again" in output
    until(lambda: not Path(f"/proc/{cell}").exists())
    long, short = (
        Folder(run_dir).record(cell.name, cell.digest) for cell in load_experiment(path).cells
    )
    assert long is not None
    assert short is not None
    return long, short


def parent_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("PPid:"))


def test_a_cell_that_is_killed_has_failed_and_the_next_one_is_done(tmp_path: Path) -> None:
    killed, short = after_killing(tmp_path, lambda cell: cell)
    assert (killed.status, killed.reason) == (Status.FAILED, "exit status -9")
    assert short.status is Status.FINISHED


def test_so_it_is_where_the_process_that_does_cells_is_killed(tmp_path: Path) -> None:
    killed, short = after_killing(tmp_path, parent_of)
    assert (killed.status, killed.reason) == (Status.FAILED, "exit status -9")
    assert short.status is Status.FINISHED
