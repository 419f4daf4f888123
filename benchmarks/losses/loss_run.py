"""One real job: started, watched, and measured while its steps are those that count."""

import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import tomli_w
from loss_plan import Plan, Workload

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import load_config
from guanyu_mpi.done import read_done
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import Event, read_events

POLL_S = 0.2
LIMIT_S = 900.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """Updates per second, the longest time between two steps that were told, both in the median
    of the servers that went on; and the work of one such server and worker for an update.
    """

    updates_per_s: float
    pause_s: float
    server_cpu_s: float
    worker_cpu_s: float


class Run:
    """A job in a directory, with the plan's faults."""

    def __init__(self, workload: Workload, plan: Plan, run_dir: Path) -> None:
        run_dir.mkdir(parents=True)
        self._run_dir, self._workload, self._plan = run_dir, workload, plan
        self._config = run_dir / "plan.toml"
        self._config.write_text(tomli_w.dumps(plan.config), encoding="utf-8")
        self._cluster = load_config(self._config).nodes
        self._well = [node for node in self._cluster if not _is_among(node, _struck(plan))]
        # When the first and the last step of those that count were seen, and the work until then.
        self._seen: list[tuple[float, dict[Node, float]]] = []

    def measure(self) -> Measured:
        """Run the job to its end; SystemExit says what was wrong with it."""
        argv = [sys.executable, "-m", "guanyu_mpi", "launch", str(self._config)]
        with (self._run_dir / "launch.log").open("w", encoding="utf-8") as log:
            argv += ["--run-dir", str(self._run_dir)]
            process = subprocess.Popen(argv, stdout=log, stderr=log)
            status = self._watch(process)
        wrong = [f"exit status {status}: {self._said()}"] if status else []
        wrong += [*self._not_struck(), *self._not_measured()]
        if wrong:
            raise SystemExit(f"{self._run_dir}: {'; '.join(wrong)}")
        return self._measured()

    def _said(self) -> str:
        return (self._run_dir / "launch.log").read_text(encoding="utf-8").strip()[-500:]

    def _watch(self, process: "subprocess.Popen[bytes]") -> int | None:
        deadline_s = time.monotonic() + LIMIT_S
        while process.poll() is None and time.monotonic() < deadline_s:
            self._look()
            if {str(node) for node in self._well} <= self._done():
                # They would be waited for, and what counts is over.
                self._end_those_that_are_stopped()
            time.sleep(POLL_S)
        if process.poll() is None:
            process.terminate()
            process.wait()
        return process.returncode

    def _look(self) -> None:
        """Read everybody's work at the first and the last step that count."""
        due = (self._workload.start, self._workload.end)[len(self._seen) : len(self._seen) + 1]
        if due and max(self._last_steps(), default=0) >= due[0]:
            work = {node: _cpu_s(pid) for node in self._well if (pid := self._pid(node))}
            self._seen.append((time.monotonic(), work))

    def _last_steps(self) -> list[int]:
        commits = (self._commits(node) for node in self._well if node.role is Role.SERVER)
        return [told[-1][0] for told in commits if told]

    def _done(self) -> set[str]:
        """Who has reached the last step."""
        records = read_done(self._run_dir, self._cluster)
        return {record.node for record in records if record.finished}

    def _end_those_that_are_stopped(self) -> None:
        for node in self._cluster:
            pid = self._pid(node)
            if _is_among(node, self._plan.stopped) and pid and _is_stopped(pid):
                os.kill(pid, signal.SIGKILL)

    def _not_struck(self) -> list[str]:
        """Who was to be struck and was not, or went on."""
        wrong = []
        for node in self._cluster:
            if not _is_among(node, _struck(self._plan)):
                continue
            kinds = [event["kind"] for event in self._events(node) if event["event"] == "fault"]
            expected = "crash" if _is_among(node, self._plan.killed) else "hang"
            if expected not in kinds:
                wrong.append(f"{node} was not struck by {expected}")
            if str(node) in self._done():
                wrong.append(f"{node} was struck, and finished all the same")
        return wrong

    def _not_measured(self) -> list[str]:
        # The observer's last evaluation may take longer than it is waited for.
        expected = [node for node in self._well if node.role is not Role.OBSERVER]
        wrong = [f"{node} did not finish" for node in expected if str(node) not in self._done()]
        return wrong if len(self._seen) == 2 else [*wrong, "nothing was measured"]

    def _measured(self) -> Measured:
        told = [self._commits(node) for node in self._well if node.role is Role.SERVER]
        updates_per_s = statistics.median(map(self._rate, told))
        pauses_s = [max(later - one for (_, one), (_, later) in pairwise(steps)) for steps in told]
        return Measured(
            updates_per_s,
            statistics.median(pauses_s),
            self._cores(Role.SERVER) / updates_per_s,
            self._cores(Role.WORKER) / updates_per_s,
        )

    def _rate(self, told: list[tuple[int, float]]) -> float:
        """Updates per second of a server."""
        workload = self._workload
        counted = [at for at in told if workload.start <= at[0] <= workload.end]
        (first, first_s), (last, last_s) = counted[0], counted[-1]
        return (last - first) / (last_s - first_s)

    def _cores(self, role: Role) -> float:
        """How much of a core a node of this role kept busy."""
        (first_s, before), (last_s, after) = self._seen
        nodes = [node for node in self._well if node.role is role]
        return sum(after[node] - before[node] for node in nodes) / len(nodes) / (last_s - first_s)

    def _commits(self, node: Node) -> list[tuple[int, float]]:
        """Steps that a server has told, and when by its clock."""
        return [
            (step, time_s)
            for event in self._events(node)
            if event["event"] == "commit"
            and isinstance(step := event["step"], int)
            and isinstance(time_s := event["time_s"], float)
        ]

    def _pid(self, node: Node) -> int | None:
        started = [event["pid"] for event in self._events(node) if event["event"] == "started"]
        return started[0] if started and isinstance(started[0], int) else None

    def _events(self, node: Node) -> list[Event]:
        return read_events(rank_log(self._run_dir, self._cluster.rank(node)))


def _struck(plan: Plan) -> tuple[str, ...]:
    return plan.killed + plan.stopped


def _is_among(node: Node, names: tuple[str, ...]) -> bool:
    return f"{node.role.value}-{node.index}" in names


def _cpu_s(pid: int) -> float:
    """Processor time of a process and all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _is_stopped(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "T"
