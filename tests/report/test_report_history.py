"""What a report makes of the logs of a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from report_files import commit, config, observation, write_events, write_run

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import config_toml
from guanyu_mpi.excerpt import STRETCHES, excerpt
from guanyu_mpi.journal import observer_log
from guanyu_mpi.report.heat import Row
from guanyu_mpi.report.history import history
from guanyu_mpi.report.membership import Attendance, Stretches, attendance, membership_rows
from guanyu_mpi.report.run import UnreadableError, read_run
from guanyu_mpi.simulation import simulate

CLUSTER = config().nodes
STEPS = Stretches(100, 10)


def test_a_later_life_replaces_what_it_does_again_and_time_goes_on() -> None:
    first = [observation(step) for step in range(0, 60, 10)]
    second = [observation(step, time_s=(step - 30) / 10) for step in range(30, 101, 10)]
    seen = history([*first, *second])
    assert [look.step for look in seen.looks] == list(range(0, 101, 10))
    assert [look.step for look in seen.restarts] == [30]
    times = [look.time_s for look in seen.looks]
    assert times == sorted(times)
    # Five seconds of the first life, of which two were lost, and seven of the second.
    assert times[-1] == pytest.approx(12.0)


def test_a_later_life_whose_clock_is_further_is_told_by_its_number() -> None:
    """Killed at step 80, where it had last looked at step 0; the next one began at 50."""
    seen = history([observation(0, time_s=1.0, life=1), observation(100, time_s=8.0, life=2)])
    assert [look.step for look in seen.restarts] == [100]
    assert [look.time_s for look in seen.looks] == [1.0, 9.0]


def test_what_is_no_observation_is_left_out() -> None:
    wrong: list[dict[str, object]] = [
        {},
        {"step": 10},
        {"step": "10", "time_s": 1.0},
        {"step": True, "time_s": 1.0},
        {"step": -1, "time_s": 1.0},
        {"step": 10**30, "time_s": 1.0},
        {"step": 10, "time_s": 10**400},
    ]
    assert history(wrong).looks == ()
    wrong_shares = {"selected": {"worker-00": 7, "x": "y"}, "far": {"server-00": -1, "x": None}}
    odd = observation(10, loss=10**400, accuracy=[1], **wrong_shares)
    (look,) = history([odd]).looks
    assert look.loss != look.loss
    assert look.accuracy != look.accuracy
    assert (look.selected, look.far) == ({}, {})


def test_one_lying_server_changes_no_row_of_the_map() -> None:
    workers = [f"worker-{index:02d}" for index in range(5)]
    honest = [commit(step, workers, ["server-00"]) for step in range(1, 101)]
    lies = [commit(step, ["worker-05", "<b>", "server-01"], ["?"]) for step in range(1, 101)]
    servers = [Node(Role.SERVER, index) for index in range(6)]
    written = [(at, attendance(honest, CLUSTER, STEPS)) for at in servers[:5]]
    written.append((servers[5], attendance(lies, CLUSTER, STEPS)))
    rows = {row.name: row for row in membership_rows(written, CLUSTER, STEPS, [])}
    assert rows["worker-00"].overall == 1.0
    assert rows["worker-05"].overall == 0.0
    assert set(rows["worker-05"].shares) == {0.0}
    assert set(rows) <= {str(node) for node in CLUSTER}


def test_a_node_is_looked_up_among_all_and_not_looked_for() -> None:
    """For every server and node: among two thousand ranks that would take hours."""

    class There(dict[tuple[Node, int], int]):
        def __iter__(self) -> Iterator[tuple[Node, int]]:
            raise AssertionError("all of them are looked at")

        items = keys = values = __iter__

    node, other = Node(Role.WORKER, 0), Node(Role.WORKER, 1)
    there = There({(node, 0): 1, (node, 2): 3, (other, 1): 4})
    quorums = {(Role.WORKER, stretch): 4 for stretch in range(3)}
    assert Attendance({**quorums, (Role.SERVER, 0): 9}, there).overall(node) == 4 / 12
    assert Attendance({(Role.SERVER, 0): 9}, there).overall(node) is None


def test_the_map_shows_since_when_a_worker_is_missing(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run"), "run")
    rows = {row.name: row for row in run.present}
    assert rows["worker-05"].shares == (1.0,) * 5 + (0.0,) * 5
    assert rows["worker-05"].overall == 0.5


def test_the_map_of_suspicion_has_servers_that_were_far_and_workers_that_were_rejected(
    tmp_path: Path,
) -> None:
    run = read_run(write_run(tmp_path / "run"), "run")
    overall = {"server-00": 0.0, "server-05": 0.75, "worker-00": 0.0, "worker-05": 1.0}
    assert {row.name: row.overall for row in run.apart} == overall
    assert all(set(row.shares) == {row.overall} for row in run.apart)


def test_a_log_of_before_servers_were_told_of_has_a_map_of_workers(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    looks = [observation(step) for step in range(0, 101, 10)]
    write_events(observer_log(run_dir), [look for look in looks if look.pop("far")])
    assert [row.name for row in read_run(run_dir, "run").apart] == ["worker-00", "worker-05"]


def simulated(run_dir: Path, **sections: object) -> dict[str, Row]:
    """The map of suspicion of a short run, by name."""
    simulate(of := config(20, observe={"every": 1}, **sections), run_dir)
    (run_dir / "config.toml").write_text(config_toml(of), encoding="utf-8")
    return {row.name: row for row in read_run(run_dir, "run").apart}


def test_a_hostile_server_of_a_run_stands_out_in_the_map_of_suspicion(tmp_path: Path) -> None:
    hostile = {"name": "reverse", "count": 1}
    rows = simulated(tmp_path, attack={"servers": hostile})
    servers = {name: row for name, row in rows.items() if name.startswith("server-")}
    assert len(servers) == 6
    assert [name for name, row in servers.items() if row.marked] == ["server-05"]
    assert {name: row.overall for name, row in servers.items()} == {
        **dict.fromkeys(servers, 0.0),
        "server-05": 1.0,
    }


def test_a_trusted_server_has_no_row_in_the_map_of_suspicion(tmp_path: Path) -> None:
    trusted = {"servers": 1, "workers": 6, "byzantine_workers": 1}
    rows = simulated(tmp_path, cluster=trusted, attack={"workers": {"name": "zero", "count": 1}})
    assert list(rows) == [f"worker-{index:02d}" for index in range(6)]


@pytest.mark.parametrize("lives", [1, 2])
def test_the_time_of_one_process_is_virtual_in_every_life(tmp_path: Path, lives: int) -> None:
    assert read_run(write_run(tmp_path / "simulated", lives=lives), "x").virtual
    assert not read_run(write_run(tmp_path / "launched", pids=12, lives=lives), "x").virtual


def test_a_run_is_read_without_its_data_and_its_model(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    path = run_dir / "config.toml"
    text = path.read_text(encoding="utf-8").replace('"quadratic"', '"gone.module:model"')
    path.write_text(text + '\n[data]\nname = "gone.module:data"\n', encoding="utf-8")
    assert read_run(run_dir, "x").config.model.name == "gone.module:model"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[run", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b"x = " + b"1" * 10_000, "is damaged"),
        (b"#" * (2 << 20), "is larger than"),
        (b"[run]\nname = 'x'", "is not of this version, or damaged: run.steps"),
    ],
)
def test_a_damaged_configuration_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    run_dir = write_run(tmp_path / "run")
    (run_dir / "config.toml").write_bytes(content)
    with pytest.raises(UnreadableError, match=why):
        read_run(run_dir, "x")


def test_an_excerpt_of_a_huge_file_is_spread_over_it_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write_events(path, ({"step": step, "pad": "x" * 50} for step in range(20_000)))
    assert len(excerpt(path)) == 20_000
    steps = [event["step"] for event in excerpt(path, whole_bytes_max=STRETCHES * 400)]
    assert all(isinstance(step, int) for step in steps)
    assert STRETCHES <= len(steps) < STRETCHES * 8
    assert steps == sorted(steps, key=lambda step: int(str(step)))
    assert (steps[0], steps[-1]) == (0, 19_999)


def test_a_file_of_ten_gigabytes_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Sparse: it takes no room on the disk, and would take ten gigabytes of memory."""
    path = tmp_path / "log.jsonl"
    write_events(path, [observation(0)])
    with path.open("r+b") as file:
        file.truncate(10 << 30)
        file.seek(0, 2)
        file.write(b'\n{"step": 10, "time_s": 1.0}\n')
    assert [event["step"] for event in excerpt(path)] == [0, 10]


def test_what_is_no_file_has_no_events(tmp_path: Path) -> None:
    assert excerpt(tmp_path) == []
    assert excerpt(tmp_path / "gone") == []
