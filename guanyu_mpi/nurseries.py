"""The nurseries of a job, on the machine of its launcher: one for each thing that ranks import."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from guanyu_mpi.cluster import Role
from guanyu_mpi.config import Config
from guanyu_mpi.factories import is_factory
from guanyu_mpi.stand_in import NURSERY_ENV

# Of every rank; and of those that compute gradients, or evaluate, by torch.
PLAIN = "guanyu_mpi.cli,guanyu_mpi.job"
TORCH = f"{PLAIN},guanyu_mpi.models.classification"


def modules(config: Config) -> dict[str, list[int]]:
    """The ranks of a run by what they import."""
    cluster, model = config.nodes, config.model.name
    found: dict[str, list[int]] = {}
    for rank in range(cluster.num_ranks):
        is_server = cluster.node(rank).role is Role.SERVER
        # As the assembly has it: servers of a built-in model need no torch.
        needs_torch = is_factory(model) or (config.data is not None and not is_server)
        found.setdefault(TORCH if needs_torch else PLAIN, []).append(rank)
    return found


@contextmanager
def nurseries(
    config: Config, program: Sequence[str], environment: Mapping[str, str], log: int
) -> Iterator[dict[str, str]]:
    """Nurseries of ranks that are `python -m PROGRAM`; yields how launched processes find them.

    No rank of theirs outlives this block.
    """
    with TemporaryDirectory(prefix="guanyu-", ignore_cleanup_errors=True) as place:
        processes = []
        try:
            # Who finds no nursery, because its path is too long for a socket, starts by itself.
            with suppress(OSError):
                for imported, ranks in modules(config).items():
                    with _listener(Path(place), ranks) as listener:
                        argv = [str(os.getpid()), str(listener.fileno()), imported, *program]
                        processes.append(_started(argv, environment, listener.fileno(), log))
            yield {NURSERY_ENV: place}
        finally:
            for process in processes:
                _end(process)


@contextmanager
def _listener(place: Path, ranks: Sequence[int]) -> Iterator[socket.socket]:
    """A socket that these ranks find, each by its number; raises OSError."""
    path = place / f"of-{ranks[0]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        # So many may ask before the nursery has imported anything.
        listener.listen(len(ranks))
        for rank in ranks:
            (place / str(rank)).symlink_to(path)
        yield listener


def _started(
    argv: Sequence[str], environment: Mapping[str, str], listener: int, log: int
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "guanyu_mpi.nursery", *argv],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        pass_fds=[listener],
        # As the launcher's: Ctrl-C comes to `guanyu launch` alone; and its ranks are all in it.
        start_new_session=True,
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    # The group is there as long as nobody has waited for its leader.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
