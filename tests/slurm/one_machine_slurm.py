"""A real Slurm on this machine alone: several virtual nodes, and all of it in one directory.

The daemons are children of this process and die with it. No service, cgroup, accounting or setting
of the machine is touched.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
import waiting
from slurm_settings import gpu_settings, settings

PROGRAMS = (
    *("munged", "slurmctld", "slurmd"),
    *("sbatch", "srun", "scancel", "scontrol", "sinfo", "squeue"),
)
# Where distributions put daemons, which is not on everyone's PATH.
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

# Set where nothing may be skipped for want of Slurm.
REQUIRED_ENV = "GUANYU_REQUIRE_SLURM"

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0

# Asking Slurm takes a process.
until = partial(waiting.until, timeout_s=START_TIMEOUT_S, poll_s=0.1)


def missing() -> list[str]:
    """The programs of Slurm that are not installed here."""
    return [name for name in PROGRAMS if shutil.which(name, path=SYSTEM_PATH) is None]


def do_without(what: str) -> NoReturn:
    """Skip a test that needs what is not installed here, and say so."""
    if os.environ.get(REQUIRED_ENV):
        pytest.fail(f"{REQUIRED_ENV} is set, and there is no {what}")
    pytest.skip(f"not installed here: {what}")


class OneMachineSlurm:
    """Nodes named cpu... and gpu... in partitions of these names."""

    def __init__(self, directory: Path, nodes: tuple[str, ...]) -> None:
        self.directory = directory
        self.nodes = nodes
        self.environment = {
            **os.environ,
            "PATH": SYSTEM_PATH,
            "SLURM_CONF": str(directory / "slurm.conf"),
        }
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Have every node idle."""
        for folder in (
            "state",
            "log",
            *(f"{node}/{part}" for node in self.nodes for part in ("spool", "tmp")),
        ):
            (self.directory / folder).mkdir(parents=True)
        ports = free_ports(1 + len(self.nodes))
        (self.directory / "slurm.conf").write_text(settings(self.directory, self.nodes, ports))
        (self.directory / "gres.conf").write_text(gpu_settings(self.nodes))
        (self.directory / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        self._start_munge()
        self._start("slurmctld", "slurmctld", "-D", "-c")
        for node in self.nodes:
            self.revive(node)
        until(self._all_idle, f"every node is idle; see {self.directory}/log")

    def clear(self) -> None:
        """Cancel all jobs, and see none left."""

        def jobs() -> list[str]:
            return self.command("squeue", "--noheader", "--format=%A").split()

        if left := jobs():
            self.command("scancel", *left)
            until(lambda: not jobs(), "no job is left")

    def stop(self) -> None:
        """End all that has been started for this Slurm or by it, and see it ended."""
        processes = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for daemon in self._daemons.values():
            daemon.wait(STOP_TIMEOUT_S)
        _, alive = psutil.wait_procs(processes, STOP_TIMEOUT_S)
        assert not alive

    def lose(self, node: str) -> None:
        """Kill -9 all that runs on a node, its own daemon first."""
        self._daemons[node].kill()
        self._daemons[node].wait()
        running = self.processes(node)
        # The manager of a job's step is not told whose it is, and is its processes' parent.
        parents = [process.parent() for process in running]
        managers = [parent for parent in parents if parent and parent.name() == "slurmstepd"]
        for process in {*managers, *running}:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def revive(self, node: str) -> None:
        """Start a node's daemon, for the first time or again."""
        self._start(node, "slurmd", "-D", "-N", node)

    def processes(self, node: str) -> list[psutil.Process]:
        """What jobs have running on a node."""
        return [one for one in psutil.process_iter() if self._is_ours(one, SLURMD_NODENAME=node)]

    def command(
        self, *argv: str, cwd: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> str:
        """What one of Slurm's commands says; `extra` is added to its environment."""
        finished = subprocess.run(
            argv,
            cwd=cwd,
            env={**self.environment, **(extra or {})},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert finished.returncode == 0, f"{argv}: {finished.stdout}{finished.stderr}"
        return finished.stdout

    def _is_ours(self, process: psutil.Process, **variables: str) -> bool:
        """Whether it has this Slurm's settings and these variables in its environment."""
        wanted = {"SLURM_CONF": self.environment["SLURM_CONF"], **variables}
        # Read as it is: psutil finds nothing in that of a process that has given itself a title.
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return {f"{name}={value}".encode() for name, value in wanted.items()} <= {*environment}

    def _all_idle(self) -> bool:
        states = self.command("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
        return {f"{node} idle" for node in self.nodes} == {state.strip() for state in states}

    def _start_munge(self) -> None:
        key = self.directory / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        places = {
            "key-file": key,
            "socket": self.directory / "munge.socket",
            "pid-file": self.directory / "munge.pid",
            "seed-file": self.directory / "munge.seed",
            "log-file": self.directory / "log" / "munged",
        }
        # It may find the directories above too open to others.
        options = ["--foreground", "--force"]
        self._start(
            "munged", "munged", *options, *(f"--{key}={path}" for key, path in places.items())
        )
        until((self.directory / "munge.socket").exists, "munged listens")

    def _start(self, name: str, *argv: str) -> None:
        """Start a daemon that ends with this process, whatever ends that."""
        program = shutil.which(argv[0], path=SYSTEM_PATH)
        assert program is not None
        with (self.directory / "log" / f"{name}.out").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "guanyu_mpi.processes",
                    str(os.getpid()),
                    program,
                    *argv[1:],
                ],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    with contextlib.ExitStack() as held:
        sockets = [
            held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [one.getsockname()[1] for one in sockets]
