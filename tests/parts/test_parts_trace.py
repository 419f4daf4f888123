"""The trace of a rank: what is written down is there, whatever becomes of its writer."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from parts_harness import CLUSTER, ScriptedCore, server, vector, worker

from guanyu_mpi.aggregation import bind
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import parse_config
from guanyu_mpi.journal import Journal, rank_log
from guanyu_mpi.messages import Gradient, Message, Params, Update, Vector
from guanyu_mpi.metrics import read_events
from guanyu_mpi.node import Ports, Shell
from guanyu_mpi.protocol.effects import Broadcast, Consumed
from guanyu_mpi.protocol.quorum import Quorum, Vote
from guanyu_mpi.saves import Start
from guanyu_mpi.trace import (
    TraceError,
    Traces,
    life_configs,
    mark,
    params_digest,
    read_segments,
    trace_path,
)
from guanyu_mpi.trace.record import STRETCH, STRETCHES, Layout

CONFIG = parse_config(
    {
        "run": {"name": "traced", "steps": 30, "seed": 3},
        "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
        "model": {"name": "quadratic"},
        "train": {"learning_rate": 0.1},
    }
)
THETA = vector(1.0, 2.0)
FIVE = (0, 1, 3, 4, 5)


def consumed(
    kind: type[Message], step: int, *, ahead: int = 0, adopted: bool = False, value: float = 0.0
) -> Consumed:
    """A quorum of all but the third, of which the last vote is for a later step."""
    role = Role.WORKER if kind is Gradient else Role.SERVER
    steps = [step] * 4 + [step + ahead]
    votes = tuple(Vote(at, k, vector(value, k)) for k, at in enumerate(steps))
    senders = tuple(Node(role, index) for index in FIVE)
    quorum = Quorum(step, senders, votes, bind("median", n=5, f=1).gather())
    return Consumed(kind, quorum, vector(value, -1.0), adopted)


def no_fault(reason: str) -> None:
    pytest.fail(f"not traced: {reason}")


def life(run_dir: Path, node: Node, *quorums: Consumed, start: Start | None = None) -> None:
    """One life of a run in which a node consumes these."""
    traces = Traces(CONFIG, run_dir)
    traces.begin()
    if node.role is Role.SERVER and start is None:
        start = Start(0, THETA)
    record = traces.recorder(node, start, no_fault)
    for quorum in quorums:
        record(quorum)


def path_of(run_dir: Path, node: Node) -> Path:
    return trace_path(run_dir, CLUSTER.rank(node))


def test_a_quorum_is_read_as_it_was_consumed(tmp_path: Path) -> None:
    quorum = consumed(Update, 7, ahead=3, adopted=True)
    life(tmp_path, server(2), consumed(Gradient, 6), quorum)
    (segment,) = read_segments(path_of(tmp_path, server(2)))
    assert list(segment.tables[Gradient]) == [6]
    taken = segment.tables[Update].get(7)
    assert taken is not None
    assert (taken.step, taken.adopted, taken.senders) == (7, True, FIVE)
    assert taken.steps == (7, 7, 7, 7, 10)
    assert taken.marks == tuple(mark(vector(0.0, k)) for k in range(5))
    assert taken.mark == mark(quorum.result)
    assert segment.tables[Update].get(6) is None
    assert not segment.torn


def test_a_segment_says_whose_it_is_and_where_it_began(tmp_path: Path) -> None:
    life(tmp_path, server(2), start=Start(20, THETA, (0, 1, 4)))
    life(tmp_path, worker(3))
    (header,) = (segment.header for segment in read_segments(path_of(tmp_path, server(2))))
    assert (header.life, header.node, header.step) == (1, "server-02", 20)
    assert (header.digest, header.sources) == (params_digest(THETA), (0, 1, 4))
    assert f"numpy {np.__version__}" in header.versions
    (other,) = (segment.header for segment in read_segments(path_of(tmp_path, worker(3))))
    assert (other.node, other.step, other.digest, other.sources) == ("worker-03", 0, "", ())


def test_a_new_life_is_added_after_what_the_earlier_ones_recorded(tmp_path: Path) -> None:
    life(tmp_path, worker(1), *(consumed(Params, step) for step in (0, 1, 4)))
    life(tmp_path, worker(1), consumed(Params, 3))
    life(tmp_path, worker(1))
    segments = read_segments(path_of(tmp_path, worker(1)))
    assert [segment.header.life for segment in segments] == [1, 2, 3]
    assert [list(segment.tables[Params]) for segment in segments] == [[0, 1, 4], [3], []]
    assert list(life_configs(tmp_path)) == [1, 2, 3]
    assert life_configs(tmp_path)[2] == CONFIG


def test_a_step_takes_a_few_bytes_and_the_room_for_the_rest_is_a_hole(tmp_path: Path) -> None:
    assert Layout(5).size == 63
    long = CONFIG.model_copy(update={"run": CONFIG.run.model_copy(update={"steps": 10**6})})
    traces = Traces(long, tmp_path)
    traces.begin()
    record = traces.recorder(worker(1), None, no_fault)
    record(consumed(Params, 0))
    found = path_of(tmp_path, worker(1)).stat()
    assert found.st_size > 63 * 10**6
    assert found.st_blocks * 512 < 64 * 1024
    life(tmp_path, worker(1))
    # What was never used is cut off by the next life.
    assert path_of(tmp_path, worker(1)).stat().st_size < 64 * 1024


def test_any_tool_that_reads_hdf5_reads_it(tmp_path: Path) -> None:
    life(tmp_path, server(2), consumed(Update, 7, ahead=3))
    with h5py.File(path_of(tmp_path, server(2)), "r") as file:
        row = file["life-0001/updates"][0]
        assert row["step"] == 7
        assert row["votes"]["sender"].tolist() == list(FIVE)
        assert row["votes"]["ahead"].tolist() == [0, 0, 0, 0, 3]


WRITER = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
from test_parts_trace import CONFIG, Params, Traces, consumed, no_fault, worker

endless = CONFIG.run.model_copy(update={{"steps": 10**6}})
traces = Traces(CONFIG.model_copy(update={{"run": endless}}), Path({run_dir!r}))
traces.begin()
record = traces.recorder(worker(1), None, no_fault)
for step in range(10**6):
    record(consumed(Params, step))
    sys.stdout.write(f"{{step}}\\n")
    sys.stdout.flush()
"""


def test_after_a_kill_all_is_there_that_was_recorded_before_anything_was_sent(
    tmp_path: Path,
) -> None:
    code = WRITER.format(folder=str(Path(__file__).parent), run_dir=str(tmp_path))
    for life_number in (1, 2):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(50)]
        time.sleep(0.01 * life_number)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read().splitlines()[:-1]
        process.stdout.close()
        assert process.wait(10) == -signal.SIGKILL
        segments = read_segments(path_of(tmp_path, worker(1)))
        assert len(segments) == life_number
        assert len(said) >= 49
        assert int(said[-1]) in segments[-1].tables[Params]
        assert list(segments[-1].tables[Params])[-1] - int(said[-1]) <= 2
        assert not segments[-1].torn


@pytest.mark.parametrize("kept", [1, 30, 62])
def test_a_torn_record_ends_the_segment_and_is_told(tmp_path: Path, kept: int) -> None:
    life(tmp_path, worker(1), *(consumed(Params, step) for step in range(5)))
    path = path_of(tmp_path, worker(1))
    with h5py.File(path, "r") as file:
        offset = file["life-0001/params"].id.get_offset() + 3 * Layout(5).size
    with path.open("r+b") as raw:
        os.pwrite(raw.fileno(), bytes(63 - kept), offset + kept)
    (segment,) = read_segments(path)
    assert list(segment.tables[Params]) == [0, 1, 2]
    assert segment.torn


def test_a_disk_that_takes_a_part_of_a_record_ends_the_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the first sign of a full disk is told, and nothing is written behind a torn record."""
    traces, told = Traces(CONFIG, tmp_path), list[str]()
    traces.begin()
    record = traces.recorder(worker(1), None, told.append)
    record(consumed(Params, 0))
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda to, data, at: pwrite(to, data[:-3], at))
    record(consumed(Params, 1))
    monkeypatch.undo()
    record(consumed(Params, 2))
    assert told == ["no space is left for the params of the trace"]
    (segment,) = read_segments(path_of(tmp_path, worker(1)))
    assert (list(segment.tables[Params]), segment.torn) == ([0], True)


def test_the_room_that_nothing_is_in_is_not_read(tmp_path: Path) -> None:
    """A hole of 30 GB here; a restart reads the trace of the lives before it."""
    endless = CONFIG.model_copy(update={"run": CONFIG.run.model_copy(update={"steps": 10**9})})
    traces = Traces(endless, tmp_path)
    traces.begin()
    record = traces.recorder(worker(1), None, no_fault)
    for step in range(5000):
        record(consumed(Params, step))
    path = path_of(tmp_path, worker(1))
    assert path.stat().st_size > 2**30
    (segment,) = read_segments(path)
    assert list(segment.tables[Params]) == list(range(5000))
    assert not segment.torn


def test_what_a_flipped_bit_has_touched_is_not_read(tmp_path: Path) -> None:
    life(tmp_path, worker(1), *(consumed(Params, step) for step in range(3)))
    path = path_of(tmp_path, worker(1))
    with h5py.File(path, "r") as file:
        offset = file["life-0001/params"].id.get_offset()
    sound = path.read_bytes()
    for bit in range(63 * 8):
        damaged = bytearray(sound)
        damaged[offset + 63 + bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert list(read_segments(path)[0].tables[Params]) == [0]


@pytest.mark.parametrize(
    "content", [b"", b"not HDF5 at all", struct.pack("<I", 7) * 999], ids=["empty", "text", "junk"]
)
def test_a_file_that_is_no_trace_is_refused_and_set_aside_by_the_next_life(
    tmp_path: Path, content: bytes
) -> None:
    life(tmp_path, worker(1), consumed(Params, 0))
    path = path_of(tmp_path, worker(1))
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"rank-007\.h5: "):
        read_segments(path)
    life(tmp_path, worker(1), consumed(Params, 1))
    (segment,) = read_segments(path)
    assert segment.header.life == 2
    assert path.with_name("rank-007.h5.damaged").read_bytes() == content


def test_every_cut_of_a_trace_is_read_or_refused(tmp_path: Path) -> None:
    life(tmp_path, server(1), consumed(Gradient, 0), consumed(Update, 0))
    path = path_of(tmp_path, server(1))
    sound = path.read_bytes()
    outcomes = set()
    for size in range(0, len(sound), 97):
        path.write_bytes(sound[:size])
        try:
            read_segments(path)
            outcomes.add("read")
        except TraceError:
            outcomes.add("refused")
    assert "refused" in outcomes


def test_a_fault_of_the_disk_ends_the_trace_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = Traces(CONFIG, tmp_path)
    traces.begin()
    told: list[str] = []
    record = traces.recorder(worker(1), None, told.append)
    record(consumed(Params, 0))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    record(consumed(Params, 1))
    monkeypatch.undo()
    record(consumed(Params, 2))
    assert told == ["[Errno 28] No space left on device"]
    # Not with a gap in it.
    assert list(read_segments(path_of(tmp_path, worker(1)))[0].tables[Params]) == [0]


def test_a_trace_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    traces = Traces(CONFIG, tmp_path)
    traces.begin()
    path_of(tmp_path, worker(1)).with_name(".rank-007.writing").mkdir()
    told: list[str] = []
    traces.recorder(worker(1), None, told.append)(consumed(Params, 0))
    assert len(told) == 1


def test_the_end_of_a_trace_is_said_aloud_and_is_an_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rank_log(tmp_path, 7)
    Journal(path, worker(1), lambda: 7.5, every=5).not_traced("no space left")
    assert capsys.readouterr().err == "worker-01: the trace ends: no space left\n"
    (event,) = read_events(path)
    assert (event["event"], event["reason"]) == ("not-traced", "no space left")


def test_without_a_directory_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    traces = Traces(CONFIG, None)
    traces.begin()
    traces.recorder(worker(1), None, no_fault)(consumed(Params, 0))
    assert list(tmp_path.iterdir()) == []


def test_there_is_room_for_a_quorum_of_every_step_and_no_more(tmp_path: Path) -> None:
    steps = CONFIG.run.steps
    life(tmp_path, worker(1), *(consumed(Params, step) for step in range(steps + 1)))
    (segment,) = read_segments(path_of(tmp_path, worker(1)))
    assert len(list(segment.tables[Params])) == steps + 1
    traces = Traces(CONFIG, tmp_path)
    traces.begin()
    told: list[str] = []
    record = traces.recorder(worker(1), None, told.append)
    for step in range(steps + 3):
        record(consumed(Params, step))
    assert told == ["there is no room for more params in the trace"]


@pytest.mark.parametrize("size", [1, 2, 1023, 1024, 1025, 5000, 100_003])
def test_vectors_that_differ_where_they_are_looked_at_have_other_marks(size: int) -> None:
    rng = np.random.default_rng(3)
    values: Vector = rng.standard_normal(size).astype(np.float32)
    assert mark(values) == mark(values.copy())
    assert mark(values * np.float32(1.0000002)) != mark(values)
    last = size - 1 if size <= STRETCHES * STRETCH else 0
    other = values.copy()
    other[last] = np.nextafter(other[last], np.float32(9))
    assert mark(other) != mark(values)


def test_a_quorum_is_on_the_disk_before_what_follows_from_it_is_sent(tmp_path: Path) -> None:
    traces = Traces(CONFIG, tmp_path)
    traces.begin()
    found: list[bool] = []

    def send(_: object, message: Message) -> None:
        (segment,) = read_segments(path_of(tmp_path, server(2)))
        found.append(message.step in segment.tables[Gradient])

    ports = Ports(
        send=send,
        gradient=lambda params, _: params,
        estimate=lambda _: None,
        commit=lambda _: None,
        rejected=lambda *_: None,
        halted=lambda _: None,
        observe_every=1,
        steps=30,
        consumed=traces.recorder(server(2), Start(0, THETA), no_fault),
    )
    effects = [consumed(Gradient, 4), Broadcast(Update(4, THETA), to=Role.SERVER)]
    Shell(server(2), CLUSTER, ScriptedCore(effects), ports).start()
    assert found == [True]
