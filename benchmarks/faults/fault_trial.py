"""One real job: starts it, watches its processes, and tells what it left."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tomli_w
from fault_plan import Plan

LIMIT_S = 300.0
POLL_S = 0.1
# Processes are looked for by their command line, which takes a while.
SEARCH_S = 0.7
# How long those that are being ended may take.
ENDING_S = 15.0
WAKE = "guanyu_mpi.faults.wake"


@dataclass(slots=True)
class Trial:
    """What was seen of a job; peaks are of resident memory, by rank."""

    run_dir: Path
    status: int | None = None
    wall_s: float = 0.0
    output: str = ""
    peak_bytes: dict[int, int] = field(default_factory=dict)
    left_over: list[str] = field(default_factory=list)


class Watch:
    """Finds the processes of a run, and reads their peaks of resident memory."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._ranks: dict[int, int] = {}
        self._searched_s = 0.0

    def look(self) -> None:
        """Read the peaks; now and then, look for processes."""
        if time.monotonic() >= self._searched_s + SEARCH_S:
            for pid in of_run(self._trial.run_dir):
                rank = _rank(pid)
                if rank is not None:
                    self._ranks[pid] = rank
            self._searched_s = time.monotonic()
        for pid, rank in self._ranks.items():
            peak = max(self._trial.peak_bytes.get(rank, 0), _peak_bytes(pid))
            self._trial.peak_bytes[rank] = peak

    def left_over(self) -> list[str]:
        """Processes that are still there, after a time to go."""
        deadline_s = time.monotonic() + ENDING_S
        while (alive := self._alive()) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
        return alive

    def _alive(self) -> list[str]:
        ranks = {str(pid) for pid in self._ranks}
        alive = [*of_run(self._trial.run_dir).values()]
        alive += [words for words in _processes().values() if WAKE in words and ranks & set(words)]
        return [" ".join(words) for words in alive]


def run(
    plan: Plan,
    run_dir: Path,
    environment: Mapping[str, str],
    on_tick: Callable[[Path], None] = lambda _: None,
    limit_s: float = LIMIT_S,
) -> Trial:
    """Run a plan by `guanyu launch` to its end, or until it has had its time."""
    shutil.rmtree(run_dir, ignore_errors=True)
    run_dir.mkdir(parents=True)
    config = run_dir / "plan.toml"
    config.write_text(tomli_w.dumps(plan.config), encoding="utf-8")
    argv = [sys.executable, "-m", "guanyu_mpi", "launch", str(config), "--run-dir", str(run_dir)]
    trial = Trial(run_dir)
    watch = Watch(trial)
    began_s = time.monotonic()
    with (run_dir / "launch.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, **environment})
        while process.poll() is None and time.monotonic() < began_s + limit_s:
            watch.look()
            on_tick(run_dir)
            time.sleep(POLL_S)
        # A job that hangs has no status.
        trial.status = process.poll()
        trial.wall_s = time.monotonic() - began_s
        _end(process)
        log.seek(0)
        trial.output = log.read()
    trial.left_over = watch.left_over()
    for pid in of_run(run_dir):
        os.kill(pid, signal.SIGKILL)
    return trial


def of_run(run_dir: Path) -> dict[int, list[str]]:
    """Processes with this directory on their command line, by id."""
    return {pid: words for pid, words in _processes().items() if str(run_dir) in words}


def _processes() -> dict[int, list[str]]:
    """Command lines of all processes; those that are dead and not yet buried have none."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        found[int(entry.name)] = words
    return found


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _rank(pid: int) -> int | None:
    """Rank of a process that MPI has started, or that is called so."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace")
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    if called := re.fullmatch(r"rank-(\d+)\n", name):
        return int(called[1])
    for variable in variables:
        if variable.startswith(b"OMPI_COMM_WORLD_RANK="):
            return int(variable.partition(b"=")[2])
    return None


def _peak_bytes(pid: int) -> int:
    """Peak of a process's resident memory; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return 1024 * int(peaks[0]) if peaks else 0
