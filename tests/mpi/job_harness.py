"""Real MPI jobs for tests: start them, look into them, kill parts of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
from quadratic_runs import even, newest_step
from waiting import until

from guanyu_mpi.cluster import Node
from guanyu_mpi.config import load_config
from guanyu_mpi.done import Done, read_done
from guanyu_mpi.journal import observer_log, rank_log
from guanyu_mpi.metrics import Event, read_events

ROOT = Path(__file__).parents[2]
GUANYU = [sys.executable, "-m", "guanyu_mpi"]
WAIT_S = 120.0

# Starts in seconds: no torch. One Byzantine server and worker are tolerated.
QUADRATIC = """
[run]
name = "quadratic"
steps = {steps}
seed = 3

[cluster]
servers = 6
byzantine_servers = 1
workers = 6
byzantine_workers = 1

[model]
name = "quadratic"

[train]
learning_rate = 0.1

[checkpoint]
every = 10

[observe]
every = 5
"""

# Nobody is Byzantine, and everybody is waited for: every run is the same, bit for bit.
LOCKSTEP = even("lockstep", nodes=3, byzantine=0)


def write_config(directory: Path, text: str, steps: int) -> Path:
    path = directory / "config-under-test.toml"
    path.write_text(text.format(steps=steps))
    return path


class Job:
    """A run directory and the `guanyu launch` that works in it."""

    def __init__(self, config: Path, run_dir: Path, *overrides: str) -> None:
        self.run_dir = run_dir
        self._config = config
        self._overrides = [word for override in overrides for word in ("--set", override)]
        self.process = self.start()

    def start(self) -> "subprocess.Popen[str]":
        argv = [*GUANYU, "launch", str(self._config), "--run-dir", str(self.run_dir)]
        self.process = subprocess.Popen(
            argv + self._overrides, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return self.process

    def wait(self, timeout_s: float = WAIT_S) -> tuple[int, str]:
        """Exit status and output of the launch."""
        output, _ = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, output

    def events(self, node: Node) -> list[Event]:
        cluster = load_config(self._config).nodes
        return read_events(rank_log(self.run_dir, cluster.rank(node)))

    def pid(self, node: Node) -> int:
        """Process of a node in the newest life of the run."""
        started = [event for event in self.events(node) if event["event"] == "started"]
        pid = started[-1]["pid"]
        assert isinstance(pid, int)
        return pid

    def last_step(self, node: Node) -> int:
        cluster = load_config(self._config).nodes
        return newest_step(rank_log(self.run_dir, cluster.rank(node)))

    def until(self, reached: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Wait for something that must happen while the job runs."""

        def happened() -> bool:
            there = reached()
            assert there or self.process.poll() is None, f"the job ended first: {self.wait()[1]}"
            return there

        until(happened, timeout_s=timeout_s)

    def kill(self, node: Node) -> None:
        """Kill -9 one rank, and see it dead."""
        process = psutil.Process(self.pid(node))
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def family(self) -> list[psutil.Process]:
        """The launch, mpirun and all ranks."""
        launch = psutil.Process(self.process.pid)
        return [launch, *launch.children(recursive=True)]

    def kill_all(self) -> list[psutil.Process]:
        """Kill -9 every process of the job at once, and see them dead."""
        family = self.family()
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(family, timeout=20)
        assert not alive
        self.process.communicate()
        return family

    def done(self) -> dict[str, Done]:
        found = read_done(self.run_dir, load_config(self._config).nodes)
        return {record.node: record for record in found}

    def observed(self) -> list[Event]:
        return read_events(observer_log(self.run_dir))


def guanyu(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*GUANYU, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
        cwd=cwd,
        env={**os.environ},
    )
