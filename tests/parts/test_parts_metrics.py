"""Event files: written line by line, read whatever a kill has left of them."""

import gc
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.metrics import EventLog, EventTail, figure, read_events

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.lists(st.text(max_size=5), max_size=3),
)
events = st.lists(st.dictionaries(st.text(max_size=5), values, max_size=4), max_size=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics" / "rank-000.jsonl"


@settings(deadline=None)
@given(written=events)
def test_what_is_recorded_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.mktemp("metrics") / "log.jsonl"
    log = EventLog(path)
    for event in written:
        log.record(**event)
    assert read_events(path) == written


def test_a_record_is_one_line_of_ascii_json(path: Path) -> None:
    EventLog(path).record(event="started", host="größe\n", pid=7)
    (line,) = path.read_bytes().splitlines()
    assert line.isascii()
    assert json.loads(line) == {"event": "started", "host": "größe\n", "pid": 7}


def test_a_record_is_in_the_file_at_once(path: Path) -> None:
    log = EventLog(path)
    log.record(step=1)
    assert path.read_bytes() == b'{"step": 1}\n'
    log.record(step=2)
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_cannot_express_becomes_null(path: Path, value: float) -> None:
    EventLog(path).record(loss=value, step=3)
    assert path.read_bytes() == b'{"loss": null, "step": 3}\n'


def test_a_log_goes_on_where_the_last_one_ended(path: Path) -> None:
    EventLog(path).record(step=1)
    EventLog(path).record(step=2)
    assert [event["step"] for event in read_events(path)] == [1, 2]


def test_a_torn_line_does_not_spoil_what_comes_after_it(path: Path) -> None:
    EventLog(path).record(step=1)
    with path.open("ab") as file:
        file.write(b'{"step": 2, "lo')
    EventLog(path).record(step=3)
    assert [event["step"] for event in read_events(path)] == [1, 3]


def test_a_torn_line_at_the_end_is_left_out(path: Path) -> None:
    EventLog(path).record(step=1)
    whole = path.read_bytes()
    for size in range(len(whole) - 1):
        path.write_bytes(whole + whole[:size])
        assert [event["step"] for event in read_events(path)] == [1]


@pytest.mark.parametrize("size", [0, 12])
def test_a_whole_file_is_not_repaired(path: Path, size: int) -> None:
    path.parent.mkdir()
    before = b'{"step": 1}\n'[:size]
    path.write_bytes(before)
    EventLog(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("line", [b"5", b"[1]", b"null", b"\xff\xfe", b"", b"{]"])
def test_a_line_that_is_no_event_is_left_out(path: Path, line: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 2}\n')
    assert [event["step"] for event in read_events(path)] == [1, 2]


def test_a_file_that_is_not_there_has_no_events(path: Path) -> None:
    assert read_events(path) == []


def test_a_log_that_is_gone_leaves_no_open_file(path: Path) -> None:
    """A process that simulates a hundred runs would else run out of them."""
    log = EventLog(path)
    file = log._file
    del log
    gc.collect()
    assert file.closed


def test_a_tail_reads_only_what_is_new(path: Path) -> None:
    log = EventLog(path)
    log.record(step=1)
    tail = EventTail(path)
    assert list(tail.read()) == []
    log.record(step=2)
    log.record(step=3)
    assert [event["step"] for event in tail.read()] == [2, 3]
    assert list(tail.read()) == []


def test_a_tail_leaves_a_line_that_is_being_written_for_the_next_time(path: Path) -> None:
    path.parent.mkdir()
    tail = EventTail(path)
    assert list(tail.read()) == []
    for written, seen in ((b'{"step"', []), (b': 1}\n{"st', [1]), (b'ep": 2}\n', [2])):
        with path.open("ab") as file:
            file.write(written)
        assert [event["step"] for event in tail.read()] == seen


def test_a_tail_goes_on_after_a_torn_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"step": 1, "lo')
    tail = EventTail(path)
    EventLog(path).record(step=2)
    assert [event["step"] for event in tail.read()] == [2]


def test_numbers_of_numpy_are_refused_rather_than_guessed(path: Path) -> None:
    with pytest.raises(TypeError):
        EventLog(path).record(loss=np.float32(1.0))
    assert path.read_bytes() == b""


HUGE = pytest.param(10**400, id="huge")


@pytest.mark.parametrize("value", [None, True, "1", [1.0], HUGE, float("inf"), float("nan")])
def test_what_is_no_finite_number_is_no_figure(value: object) -> None:
    assert figure({"loss": value}, "loss") is None
    assert figure({}, "loss") is None
    assert figure({"loss": 2}, "loss") == 2.0
