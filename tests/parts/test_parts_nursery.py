"""Ranks that nurseries make, and those who stand in for them: real processes, without MPI."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from quadratic_runs import TINY
from waiting import until

from guanyu_mpi import nurseries as nursing
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.launch import launcher_environment
from guanyu_mpi.nurseries import PLAIN, TORCH, modules, nurseries
from guanyu_mpi.stand_in import NURSERY_ENV, environment_of, request

LIMIT_S = 60.0
# 6 servers, 6 workers, and the observer.
RANKS = 13
NETWORK = TINY | {"model": {"name": "mlp"}, "data": {"name": "mnist-small"}}
WORDS = ("one", "two words")
# A launcher: its children are started by it, and end it with their status.
LAUNCHER = ["sh", "-c", '"$0" "$@"; exit $?', sys.executable, "-m", "guanyu_mpi", "--version"]
# In its place, a daemon that a launcher has started.
DAEMON = ["sh", "-c", '"$0" "$@"; exit $?', *LAUNCHER]


class Ward:
    """Nurseries, and the launched processes that find them."""

    def __init__(self, directory: Path, found_by: dict[str, str]) -> None:
        self.found_by = found_by
        self._file = directory / "found.json"
        self._stack = ExitStack()

    def start(
        self, deed: str, rank: int = 0, argv: list[str] = LAUNCHER, **variables: str
    ) -> "subprocess.Popen[str]":
        """Have a rank launched that does a deed."""
        self._file.unlink(missing_ok=True)
        launched = {"OMPI_COMM_WORLD_RANK": str(rank), "DEED": deed, **variables}
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.found_by, **launched},
        )

    def found(self, told: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        """What the rank says that it finds, once it says so much."""
        until(lambda: self._file.exists() and told(self._read()), "it tells", LIMIT_S)
        return self._read()

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.read_text())
        return found


@contextmanager
def nursed(directory: Path, config: Config) -> Iterator[Ward]:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**launcher_environment(), "PYTHONPATH": path}
    program = ["nursed_rank", str(directory / "found.json"), *WORDS]
    with (
        (directory / "log").open("w") as log,
        nurseries(config, program, environment, log.fileno()) as found_by,
    ):
        yield Ward(directory, found_by)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with nursed(tmp_path_factory.mktemp("ward"), parse_config(TINY)) as ward:
        yield ward


def stand_in_of(launcher: "subprocess.Popen[str]") -> psutil.Process:
    (child,) = psutil.Process(launcher.pid).children()
    return child


def status_of(launcher: "subprocess.Popen[str]") -> int:
    """Its exit status, as a shell tells it, once it has ended."""
    launcher.communicate(timeout=LIMIT_S)
    return launcher.returncode


def assert_starts_by_itself(launcher: "subprocess.Popen[str]") -> None:
    output, errors = launcher.communicate(timeout=LIMIT_S)
    assert launcher.returncode == 0
    assert "guanyu" in output or "version" in output
    assert errors == ""


def test_a_rank_has_the_environment_the_streams_and_the_cores_of_who_asks_for_it(
    ward: Ward,
) -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        launcher = ward.start("echo", rank=7, NOTE="a=b\nc\udcff")
    finally:
        os.sched_setaffinity(0, before)
    output, errors = launcher.communicate("word", timeout=LIMIT_S)
    found = ward.found()
    assert (output, errors, launcher.returncode) == ("heard word\n", "complains\n", 0)
    assert found["environment"]["NOTE"] == "a=b\nc\udcff"
    assert found["environment"]["OMPI_COMM_WORLD_RANK"] == "7"
    assert NURSERY_ENV not in found["environment"]
    assert found["words"] == [*WORDS]
    assert found["name"] == "rank-007\n"
    assert found["cores"] == [min(before)]


def test_a_rank_is_a_process_with_one_thread_and_nothing_of_the_nursery(ward: Ward) -> None:
    launcher = ward.start("echo")
    launcher.communicate("", timeout=LIMIT_S)
    found = ward.found()
    assert found["threads"] == 1
    assert not [path for path in found["files"] if "socket" in path or "eventpoll" in path]


def test_ranks_draw_numbers_of_their_own(ward: Ward) -> None:
    drawn = []
    for rank in range(2):
        ward.start("echo", rank).communicate("", timeout=LIMIT_S)
        drawn.append(ward.found()["drawn"])
    assert not set(drawn[0]) & set(drawn[1])


@pytest.mark.parametrize("status", [0, 2, 85])
def test_a_rank_that_leaves_is_seen_to_leave_with_its_status(ward: Ward, status: int) -> None:
    launcher = ward.start("leave", STATUS=str(status))
    assert status_of(launcher) == status


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_a_rank_that_dies_is_seen_to_die_of_the_same(ward: Ward, signum: int) -> None:
    launcher = ward.start("die", STATUS=str(int(signum)))
    assert status_of(launcher) == 128 + signum


@pytest.mark.parametrize("signum", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT])
def test_a_rank_is_told_the_signals_of_who_stands_in_for_it(ward: Ward, signum: int) -> None:
    launcher = ward.start("listen")
    rank = psutil.Process(ward.found()["pid"])
    stand_in_of(launcher).send_signal(signum)
    assert ward.found(lambda found: "heard" in found)["heard"] == signum
    assert launcher.poll() is None
    rank.kill()
    assert status_of(launcher) == 128 + signal.SIGKILL


def test_a_rank_even_one_that_hangs_is_killed_with_who_stands_in_for_it(ward: Ward) -> None:
    launcher = ward.start("stop")
    rank = psutil.Process(ward.found()["pid"])
    until(lambda: rank.status() == psutil.STATUS_STOPPED, "it hangs", LIMIT_S)
    stand_in_of(launcher).kill()
    until(lambda: not rank.is_running(), "it is dead", LIMIT_S)
    status_of(launcher)


def test_who_stands_in_is_killed_with_its_launcher(ward: Ward) -> None:
    launcher = ward.start("listen")
    rank, stand_in = psutil.Process(ward.found()["pid"]), stand_in_of(launcher)
    launcher.kill()
    status_of(launcher)
    psutil.wait_procs([stand_in], LIMIT_S)
    until(lambda: not rank.is_running(), "it is dead", LIMIT_S)


def test_no_rank_outlives_its_nursery(tmp_path: Path) -> None:
    with nursed(tmp_path, parse_config(TINY)) as ward:
        launcher = ward.start("listen")
        rank = psutil.Process(ward.found()["pid"])
    assert status_of(launcher) == 128 + signal.SIGKILL
    until(lambda: not rank.is_running(), "it is dead", LIMIT_S)


def test_who_was_not_started_by_the_launcher_itself_starts_by_itself(ward: Ward) -> None:
    """A daemon of the launcher's has, on a machine that only seems to be another."""
    assert_starts_by_itself(ward.start("echo", argv=DAEMON))


def test_who_finds_no_nursery_starts_by_itself(ward: Ward) -> None:
    assert_starts_by_itself(ward.start("echo", rank=RANKS))


def test_who_has_an_environment_that_is_longer_than_a_message_starts_by_itself(
    ward: Ward,
) -> None:
    long = {f"LONG_{number}": "x" * 100_000 for number in range(10)}
    assert_starts_by_itself(ward.start("echo", **long))


@pytest.mark.parametrize("module", ["no_such_module", "module_with_thread"])
def test_where_a_nursery_cannot_import_or_has_threads_ranks_start_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setattr(nursing, "PLAIN", module)
    with nursed(tmp_path, parse_config(TINY)) as ward:
        assert_starts_by_itself(ward.start("echo"))
    assert (tmp_path / "log").read_text() == ""


def test_where_a_path_is_too_long_for_a_socket_ranks_start_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with nursed(tmp_path, parse_config(TINY)) as ward:
        assert_starts_by_itself(ward.start("echo"))


def test_only_ranks_that_compute_with_torch_have_imported_it(tmp_path: Path) -> None:
    with nursed(tmp_path, parse_config(NETWORK)) as ward:
        has_torch = []
        for rank in (5, 6, 12):
            ward.start("echo", rank).communicate("", timeout=LIMIT_S)
            found = ward.found()
            has_torch.append(found["torch"])
            assert found["threads"] == 1
    assert has_torch == [False, True, True]


def test_servers_of_the_users_own_model_need_torch_too() -> None:
    network = parse_config(NETWORK)
    assert modules(network) == {PLAIN: [*range(6)], TORCH: [*range(6, RANKS)]}
    own = network.model.model_copy(update={"name": "package.module:factory"})
    assert modules(network.model_copy(update={"model": own})) == {TORCH: [*range(RANKS)]}
    assert modules(parse_config(TINY)) == {PLAIN: [*range(RANKS)]}


def test_an_environment_arrives_as_it_was() -> None:
    environment = {"EMPTY": "", "EQUAL": "a=b=c", "LINES": "one\ntwo", "BYTES": "\udcff"}
    assert environment_of(request(environment)) == environment
