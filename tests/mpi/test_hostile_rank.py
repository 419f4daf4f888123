"""A rank that speaks raw MPI against honest ranks: they finish, and their memory is bounded."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil
import pytest

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config, load_config
from guanyu_mpi.costs import memory
from guanyu_mpi.done import read_done
from guanyu_mpi.journal import observer_log, rank_log
from guanyu_mpi.launch import find_launcher, launcher_environment
from guanyu_mpi.metrics import read_events
from guanyu_mpi.preflight import report, size
from guanyu_mpi.transport.wire import frame_bytes

pytestmark = [pytest.mark.mpi, pytest.mark.usefixtures("sessions")]

PROGRAM = Path(__file__).parent / "programs" / "hostile_rank.py"
DIMENSION, STEPS = 250_000, 150
FLOOD = 100_000
# Of a frame that is small, and not tiny.
SMALL_BYTES = 4000
LIMIT_S = 150.0
SHARED_MEMORY: tuple[str, ...] = ()
# Large messages are then copied by both sides: half of one may be missing for ever.
COPIED = ("--mca", "smsc", "^cma")

CONFIG = """
[run]
name = "hostile"
steps = {steps}
[cluster]
{cluster}
[model]
name = "quadratic"
options = {{dimension = {dimension}, sigma = 0.01}}
[train]
learning_rate = 0.1
[checkpoint]
every = 1000
[observe]
every = 5
"""
# Ten ranks each; the hostile one is the last of its role.
CLUSTERS = {
    Role.WORKER: "servers = 3\nworkers = 6\nbyzantine_workers = 1",
    Role.SERVER: "servers = 6\nbyzantine_servers = 1\nworkers = 3",
}


@dataclass
class Run:
    """How a run ended: exit status, peak memory by rank, and what the hostile rank has sent."""

    run_dir: Path
    config: Config
    hostile: Node
    status: int = -1
    output: str = ""
    peak_bytes: dict[int, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)

    @property
    def honest(self) -> list[Node]:
        return [node for node in self.config.nodes if node != self.hostile]

    def rejected(self, by: Node) -> dict[str, int]:
        """Bad frames of the hostile rank by fault: at least half of what a node has counted."""
        events = read_events(rank_log(self.run_dir, self.config.nodes.rank(by)))
        told = [event for event in events if event.get("sender") == str(self.hostile)]
        return {str(event["fault"]): int(str(event["times"])) for event in told}

    def loss(self) -> float:
        last = read_events(observer_log(self.run_dir))[-1]
        assert last["step"] == STEPS
        return float(str(last["loss"]))


def run(directory: Path, role: Role, mca: Sequence[str], attacks: Sequence[str] = ()) -> Run:
    """All ranks under mpirun; with attacks the last of a role is the hostile program."""
    directory.mkdir(parents=True)
    path = directory / "config-under-test.toml"
    path.write_text(CONFIG.format(steps=STEPS, cluster=CLUSTERS[role], dimension=DIMENSION))
    config = load_config(path)
    result = Run(directory / "run", config, config.nodes.nodes(role)[-1])
    launcher, library = find_launcher()
    if not library.can_tolerate_faults:
        pytest.skip(f"{library} cannot run ranks that leave without MPI_Finalize")
    flags = ["--with-ft", "ulfm", "--oversubscribe", "--bind-to", "none"]
    flags += ["--mca", "btl_tcp_flags", "1", *mca]
    process = subprocess.Popen(
        [str(launcher), *flags, *_ranks(result, path, attacks)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **launcher_environment()},
    )
    try:
        _watch(process, result)
        result.output, _ = process.communicate(timeout=10)
    finally:
        process.kill()
    result.status = process.returncode
    if attacks:
        report = directory / "sent.json"
        assert report.is_file(), f"mpirun ended with {result.status}: {result.output}"
        result.sent = json.loads(report.read_text())
    return result


def _ranks(result: Run, path: Path, attacks: Sequence[str]) -> list[str]:
    """The programs and how often each is started, as mpirun wants them."""
    run_dir, cluster, hostile = result.run_dir, result.config.nodes, result.hostile
    honest = [sys.executable, "-m", "guanyu_mpi", "run", str(path), "--run-dir", str(run_dir)]
    if not attacks:
        return ["-n", str(cluster.num_ranks), *honest]
    other = Role.SERVER if hostile.role is Role.WORKER else Role.WORKER
    # Workers do not listen to one another.
    equals = range(hostile.index) if hostile.role is Role.SERVER else ()
    plan = {
        "attacks": attacks,
        "colour": list(Role).index(hostile.role),
        "index": hostile.index,
        "of_the_other": [cluster.rank(node) for node in cluster.nodes(other)],
        "of_its_role": list(equals),
        "stranger": cluster.rank(cluster.nodes(hostile.role)[0]),
        "frame_bytes": frame_bytes(DIMENSION),
        "flood": FLOOD,
        "done": str(run_dir / "done"),
        "enough": cluster.num_ranks - 1,
        "report": str(path.with_name("sent.json")),
    }
    rank = cluster.rank(hostile)
    program = [sys.executable, str(PROGRAM), json.dumps(plan)]
    after = str(cluster.num_ranks - 1 - rank)
    return ["-n", str(rank), *honest, ":", "-n", "1", *program, ":", "-n", after, *honest]


def _watch(process: "subprocess.Popen[str]", result: Run) -> None:
    """Note every rank's peak of resident memory until all have ended."""
    deadline_s = time.monotonic() + LIMIT_S
    ranks: dict[int, psutil.Process] = {}
    while process.poll() is None and time.monotonic() < deadline_s:
        if len(ranks) < result.config.nodes.num_ranks:
            ranks = _processes(process.pid)
        for rank, found in ranks.items():
            peak = _peak_bytes(found.pid)
            result.peak_bytes[rank] = max(peak, result.peak_bytes.get(rank, 0))
        time.sleep(0.02)


def _processes(launcher: int) -> dict[int, psutil.Process]:
    """The processes of an MPI job by rank, as soon as they have one."""
    found = {}
    for child in psutil.Process(launcher).children(recursive=True):
        try:
            rank = child.environ().get("OMPI_COMM_WORLD_RANK")
        except psutil.Error:
            continue
        if rank is not None:
            found[int(rank)] = child
    return found


def _peak_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    (peak_kib,) = [line.split()[1] for line in status.splitlines() if "VmHWM" in line] or ["0"]
    return int(peak_kib) * 1024


@cache
def without_attack(directory: Path, role: Role) -> Run:
    clean = run(directory / role.value, role, SHARED_MEMORY)
    assert clean.status == 0, clean.output
    return clean


@pytest.fixture(scope="module")
def clean_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clean")


def bound_bytes(config: Config, role: Role) -> int:
    """The bound that `guanyu check` prints."""
    held = memory(config.nodes, DIMENSION)
    assert f"worker {size(held.worker_bytes)}" in "\n".join(report(config))
    return {
        Role.SERVER: held.server_bytes,
        Role.WORKER: held.worker_bytes,
        Role.OBSERVER: held.observer_bytes,
    }[role]


def assert_survived(attacked: Run, clean: Run) -> None:
    """The honest have finished, with the right result, in bounded memory."""
    cluster = attacked.config.nodes
    assert attacked.status == 0, attacked.output
    finished = {done.node for done in read_done(attacked.run_dir, cluster) if done.finished}
    assert finished == {str(node) for node in attacked.honest}
    assert math.isclose(attacked.loss(), clean.loss(), rel_tol=0.01)
    for node in attacked.honest:
        rank = cluster.rank(node)
        grown = attacked.peak_bytes[rank] - clean.peak_bytes[rank]
        assert grown <= bound_bytes(attacked.config, node.role), f"{node} has grown by {grown}"


WORKER_ATTACKS = {
    "nonsense": (["oversize", "nonsense"], SHARED_MEMORY),
    "flood": (["flood_of_tiny"], SHARED_MEMORY),
    "flood-behind-oversize": (["flood_behind_oversize"], SHARED_MEMORY),
    "half-open": (["half_open"], COPIED),
    "astray": (["astray"], SHARED_MEMORY),
}


@pytest.mark.parametrize("name", WORKER_ATTACKS)
def test_honest_ranks_outlive_a_hostile_worker(
    name: str, tmp_path: Path, clean_runs: Path
) -> None:
    attacks, mca = WORKER_ATTACKS[name]
    attacked = run(tmp_path / "attacked", Role.WORKER, mca, attacks)
    assert_survived(attacked, without_attack(clean_runs, Role.WORKER))
    rejected = [attacked.rejected(Node(Role.SERVER, index)) for index in range(3)]
    match name:
        case "nonsense":
            expected = {"twice as large": 36, "100 times as large": 3, "garbage": 60}
            assert expected.items() <= attacked.sent.items()
            assert attacked.sent["wrong tag"] == attacked.sent["too short"] == 60
            # Of 73 of a wrong size or tag and 20 of garbage, as 1, 2, 4, ... are told.
            assert rejected == [{"size": 64, "magic": 16}] * 3
        case "half-open":
            # What a sender that makes no progress has sent stays with itself for the most part.
            assert attacked.sent == {
                **{"half-open": 3, "half-open and small": 3},
                "small": FLOOD // 10,
            }
            assert rejected[0]["size"] >= 64
        case "astray":
            # More than they may hold, to a worker by one way and to a server by another.
            half = attacked.sent["small"] // 2
            assert SMALL_BYTES * half > bound_bytes(attacked.config, Role.WORKER)
            assert attacked.rejected(Node(Role.WORKER, 0))["stray"] >= half // 4
            assert rejected[0]["stray"] >= half // 4
        case "flood":
            assert attacked.sent["small"] >= FLOOD // 2
            assert rejected[0]["size"] >= FLOOD // 4
        case "flood-behind-oversize":
            assert attacked.sent["twice as large"] == 36
            # The honest may be done before the flood is: by then it was more than they may hold.
            flooded = SMALL_BYTES * attacked.sent["small"]
            assert flooded > bound_bytes(attacked.config, Role.SERVER)
            assert rejected[0]["size"] >= attacked.sent["small"] // 4


def test_honest_ranks_outlive_a_hostile_server(tmp_path: Path, clean_runs: Path) -> None:
    attacks = ["oversize", "nonsense", "flood_of_tiny"]
    attacked = run(tmp_path / "attacked", Role.SERVER, SHARED_MEMORY, attacks)
    assert_survived(attacked, without_attack(clean_runs, Role.SERVER))
    assert attacked.sent["100 times as large"] == 8
    assert attacked.sent["small"] >= FLOOD // 2
    assert attacked.rejected(Node(Role.WORKER, 0))["size"] >= FLOOD // 4
    for node in attacked.honest[1:-1]:
        assert attacked.rejected(node)["magic"] == 16
