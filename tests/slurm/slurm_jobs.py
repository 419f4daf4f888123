"""Jobs of a real Slurm for tests: submit one, look into it, see how it ended."""

import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from one_machine_slurm import OneMachineSlurm, until
from quadratic_runs import even, newest_step

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.config import load_config
from guanyu_mpi.done import has_finished, read_done
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import read_events

ROOT = Path(__file__).parents[2]
# Most of it is waiting: for other jobs on the same cores, for Slurm to let a job run again.
patiently = partial(until, timeout_s=240.0)
GONE = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED"}

# The first life of a run goes slowly from this step on, so that there is time to end it: one
# worker more than need not be waited for takes a second for each gradient. A fault strikes once.
SLOW_STEP = 20
FAULT = """
[[faults.inject]]
node = "worker-{worker}"
step = {step}
kind = "delay"
delay_ms = 1000
"""

# Some seconds beyond that.
SHORT = SLOW_STEP + 8
# Minutes, for a life that nobody ends; the next one takes seconds.
LONG = SLOW_STEP + 180

# 3 servers, 3 workers and an observer, on three nodes.
SMALL = ("--nodes=3", "--ntasks=7", "--ntasks-per-node=3")

# Where launchers say which rank a process is.
RANK = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")


@dataclass(frozen=True)
class Run:
    """A configuration in a project's directory, and the directory where jobs train it."""

    config: Path
    directory: Path

    @property
    def step(self) -> int:
        """Newest step that server 0 has written down."""
        return newest_step(rank_log(self.directory, 0))

    @property
    def continued_at(self) -> list[int]:
        """The steps at which server 0 has begun from a checkpoint."""
        events = read_events(rank_log(self.directory, 0))
        steps = [event["step"] for event in events if event["event"] == "restored"]
        return [step for step in steps if isinstance(step, int)]

    @property
    def saved_step(self) -> int:
        """Newest step that server 0 has saved."""
        saved = (self.directory / "checkpoints" / "server-00").glob("step-*.h5")
        return max((int(path.stem.removeprefix("step-")) for path in saved), default=0)

    def assert_finished(self) -> None:
        """By what is on disk: the servers say so, and their last checkpoints are valid."""
        config = load_config(self.config)
        done = read_done(self.directory, config.nodes)
        assert has_finished(done, config.nodes, config.run.steps), done
        there = [record.rank for record in done if record.finished]
        for server in set(range(config.cluster.servers)) & set(there):
            path = path_of(self.directory / "checkpoints", server, config.run.steps)
            assert read(path).params.size


def write_run(
    project: Path, steps: int, *, name: str = "run", nodes: int = 3, byzantine: int = 0
) -> Run:
    """A run of so many servers, workers, and an observer, in what looks like the project."""
    for part in ("jobs", ".venv"):
        if not (project / part).exists():
            (project / part).symlink_to(ROOT / part)
    config = project / f"{name}.toml"
    text = even(name, nodes, byzantine, steps)
    slow = [FAULT.format(worker=worker, step=SLOW_STEP) for worker in range(byzantine + 1)]
    config.write_text("".join([text, *slow]))
    return Run(config, project / "runs" / name)


class SlurmJob:
    """A job by its number, or an element of an array by NUMBER_ELEMENT."""

    def __init__(self, slurm: OneMachineSlurm, number: str, project: Path) -> None:
        self.slurm = slurm
        self.number = number
        self._output = project / f"guanyu-{number}.out"

    @property
    def output(self) -> str:
        return self._output.read_text() if self._output.exists() else ""

    @property
    def state(self) -> str:
        return self.field("JobState")

    def field(self, name: str) -> str:
        """What Slurm says of it, such as Restarts or ExitCode."""
        shown = self.slurm.command("scontrol", "--oneliner", "show", "job", self.number)
        found = re.search(rf"\b{name}=(\S+)", shown)
        assert found, shown
        return found[1]

    def wait(self) -> str:
        """The state in which it ended."""
        patiently(lambda: self.state in GONE, f"job {self.number} ends: {self.state}")
        return self.state

    def until_slow(self, run: Run) -> None:
        """Wait until the run has saved something, and goes slowly."""

        def there() -> bool:
            assert self.state not in GONE, self.output
            return run.step >= SLOW_STEP

        patiently(there, f"step {SLOW_STEP} of {run.directory}")

    def until_restarted(self) -> None:
        """Wait until Slurm has queued it again."""
        patiently(lambda: self.field("Restarts") != "0", f"{self.number} is requeued")

    def tell(self, signum: signal.Signals, *options: str) -> None:
        """Send it a signal, as a user does."""
        self.slurm.command("scancel", f"--signal={signum.name}", *options, self.number)


def submit(
    slurm: OneMachineSlurm, project: Path, *argv: str, extra: Mapping[str, str] | None = None
) -> SlurmJob:
    """Submit from a project's directory: options of sbatch, a script, what the script wants."""
    number = slurm.command("sbatch", "--parsable", *argv, cwd=project, extra=extra)
    return SlurmJob(slurm, number.strip(), project)


def train(
    slurm: OneMachineSlurm,
    run: Run,
    *options: str,
    launcher: tuple[str, ...] = (),
    extra: Mapping[str, str] | None = None,
) -> SlurmJob:
    """Submit the usual job; options of sbatch overrule what its script says."""
    argv = (*SMALL, *options, "jobs/train.sbatch", run.config.name, *launcher)
    return submit(slurm, run.config.parent, *argv, extra=extra)


def ranks(slurm: OneMachineSlurm, run: Run) -> dict[int, psutil.Process]:
    """The processes of a run's ranks, on whatever node."""
    found = {}
    for node in slurm.nodes:
        for process in slurm.processes(node):
            with suppress(psutil.Error):
                argv, environment = process.cmdline(), process.environ()
                rank = next((environment[name] for name in RANK if name in environment), None)
                where = Path(process.cwd(), argv[-1])
                if rank and "run" in argv and where == run.directory:
                    found[int(rank)] = process
    return found


def node_of(process: psutil.Process) -> str:
    """The virtual node that a process is on."""
    return process.environ()["SLURMD_NODENAME"]
