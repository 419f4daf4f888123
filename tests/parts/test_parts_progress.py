"""The live line about a run."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from guanyu_mpi import progress
from guanyu_mpi.journal import observer_log
from guanyu_mpi.metrics import EventLog
from guanyu_mpi.processes import ToldToLeave
from guanyu_mpi.progress import progress_bar


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a person at a terminal sees."""
    seen = io.StringIO()

    def console(**_: object) -> Console:
        return Console(file=seen, force_terminal=True, width=120)

    monkeypatch.setattr(progress, "Console", console)
    return seen


def test_it_shows_what_the_observer_has_seen(tmp_path: Path, terminal: io.StringIO) -> None:
    with progress_bar(tmp_path, "tiny", 20, ToldToLeave()) as look:
        EventLog(observer_log(tmp_path)).record(step=8, loss=0.5, accuracy=0.75)
        look()
    assert "step 8/20" in terminal.getvalue()
    assert "accuracy 0.750, loss 0.5" in terminal.getvalue()


def test_the_last_observation_is_shown_though_nobody_looked(
    tmp_path: Path, terminal: io.StringIO
) -> None:
    with progress_bar(tmp_path, "tiny", 20, ToldToLeave()):
        EventLog(observer_log(tmp_path)).record(step=20, loss=0.5)
    assert "step 20/20" in terminal.getvalue()


def test_an_earlier_life_of_the_run_is_not_shown(tmp_path: Path, terminal: io.StringIO) -> None:
    EventLog(observer_log(tmp_path)).record(step=20, loss=0.5)
    with progress_bar(tmp_path, "tiny", 40, ToldToLeave()) as look:
        look()
    assert "step 20/40" not in terminal.getvalue()
    assert "starting" in terminal.getvalue()


def test_a_log_file_is_not_filled_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar(tmp_path, "tiny", 20, ToldToLeave()) as look:
        EventLog(observer_log(tmp_path)).record(step=8, loss=0.5)
        look()
    assert capsys.readouterr() == ("", "")
