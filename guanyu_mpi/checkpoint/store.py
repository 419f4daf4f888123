"""The checkpoints of one server: checkpoints/server-03/step-000000400.h5, written atomically.

The order in which a run uses it: Store and `restore.resume` before start-up's last collective, so
that no server writes while another still reads; then `write` at every step that is due, before the
server's Update of that step leaves, so that whoever passes the step knows it to be saved.
"""

import errno
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

import numpy as np

from guanyu_mpi.checkpoint.election import Holdings, retained
from guanyu_mpi.checkpoint.hdf5 import (
    TEXT_MAX,
    Checkpoint,
    FileError,
    Header,
    Writers,
    cause,
    read_file,
    write_file,
)
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError, InvariantError
from guanyu_mpi.messages import Vector

ABANDONED = ".abandoned"

_SERVER = re.compile(r"server-([0-9]{2,6})")
_STEP = re.compile(r"step-([0-9]{9,18})\.h5")
_TEMPORARY = re.compile(r"\.writing-(?P<host>.+)-(?P<pid>[0-9]{1,9})\.h5")


def path_of(root: Path, server: int, step: int) -> Path:
    """Where a server's checkpoint of a step lies."""
    return root / f"server-{server:02d}" / f"step-{step:09d}.h5"


def scan(root: Path) -> dict[int, tuple[int, ...]]:
    """Steps of which each server has a file, newest first; by their names, so unverified."""
    with _faults_named(root, "listed"):
        if not root.exists():
            return {}
        names = (_SERVER.fullmatch(place.name) for place in root.iterdir())
        servers = sorted(int(match[1]) for match in names if match)
        return {server: _steps(path_of(root, server, 0).parent) for server in servers}


def read(path: Path, dimension: int | None = None, identity: str | None = None) -> Checkpoint:
    """Read and verify a checkpoint, which must also be the one that its path says it is."""
    checkpoint = read_file(path, dimension, identity)
    header = checkpoint.header
    expected = path_of(path.parent.parent, header.server, header.step)
    if path.name != expected.name or path.parent.name != expected.parent.name:
        raise FileError(path, f"is a copy of server {header.server}'s step {header.step}")
    return checkpoint


class Store:
    """Where one server of one run keeps its checkpoints."""

    def __init__(
        self,
        root: Path,
        server: int,
        cluster: Cluster,
        *,
        dimension: int,
        identity: str,
        keep: int,
    ) -> None:
        if not (0 <= server < cluster.servers and keep >= 1 and dimension >= 1):
            raise InvariantError(f"no store for {server=} of {cluster} with {keep=}, {dimension=}")
        if not (identity.isascii() and identity.isprintable() and len(identity) <= TEXT_MAX):
            raise InvariantError(f"{identity=} is not a short text")
        self.root, self.server, self.cluster = root, server, cluster
        self.dimension, self.identity, self.keep = dimension, identity, keep
        self._directory = path_of(root, server, 0).parent
        self._restored = 0  # the step that this life of the run began at
        with _faults_named(self._directory, "prepared"):
            if self._directory.is_symlink():
                raise CheckpointError(
                    f"{self._directory}: is a symbolic link; link {root} instead"
                )
            self._directory.mkdir(parents=True, exist_ok=True)
            _sync(root)
            _sweep(self._directory)

    def write(self, step: int, params: Vector) -> Path:
        """Save params (d,) after `step`, and then remove what is no longer needed.

        When this raises CheckpointError, a restart finds no less than it would have before.
        """
        path = path_of(self.root, self.server, step)
        if step < 1 or params.shape != (self.dimension,) or params.dtype != np.float32:
            raise InvariantError(f"{path}: {params.dtype} {params.shape} at {step=} to be saved")
        if not np.isfinite(params).all():
            raise CheckpointError(f"{path}: not written: its params are not finite")
        header = Header(step, self.server, self.identity, *astuple(Writers.of(self.cluster)))
        with _faults_named(path, "written"):
            _replace(path, Checkpoint(header, params))
        with _faults_named(self._directory, "tidied"):
            present = scan(self.root)
            self._forget_abandoned(present)
            self._set_aside(present, step)
            self._prune(present, step)
        return path

    def rewind(self, step: int) -> None:
        """Begin at `step`: set aside every newer checkpoint, which an earlier life has left.

        Too few servers hold them for a restart. Left in place, they would be counted together
        with what this life writes at the same steps, though the two never were one model. They
        are renamed, not removed: until this server's next checkpoint they can be renamed back.
        """
        self._restored = step
        with _faults_named(self._directory, "rewound"):
            self._set_aside(scan(self.root), step)

    def _forget_abandoned(self, present: Holdings) -> None:
        for server in self._own(present):
            directory = path_of(self.root, server, 0).parent
            for abandoned in directory.glob(f"step-*.h5{ABANDONED}"):
                abandoned.unlink()

    def _set_aside(self, present: Holdings, step: int) -> None:
        for server in self._own(present):
            for newer in (held for held in present[server] if held > step):
                path = path_of(self.root, server, newer)
                path.replace(path.with_name(path.name + ABANDONED))

    def _prune(self, present: Holdings, step: int) -> None:
        held = [older for older in present[self.server] if older <= step]
        writers = Writers.of(self.cluster)
        seen = {**present, self.server: held}
        kept = retained(seen, self.server, self.keep, writers, self._restored)
        for server in self._own(present):
            for older in (older for older in present[server] if older <= step):
                if older not in kept:
                    path_of(self.root, server, older).unlink()

    def _own(self, present: Holdings) -> list[int]:
        """This server, and its share of the servers that the run once had and has no more.

        Without an heir, what 13 servers left would outlive the 6 that went on, and would one day
        be the newest quorum of 13 again.
        """
        servers = self.cluster.servers
        former = (server for server in present if server >= servers)
        return [self.server, *(gone for gone in former if gone % servers == self.server)]


def _replace(path: Path, checkpoint: Checkpoint) -> None:
    """Put a file in place in one move, read back first: until then whatever was there stays."""
    temporary = path.with_name(f".writing-{socket.gethostname()}-{os.getpid()}.h5")
    try:
        write_file(temporary, checkpoint)
        if read_file(temporary, len(checkpoint.params)).header != checkpoint.header:
            raise InvariantError(f"{path}: read back as another checkpoint")
        temporary.replace(path)
        _sync(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _steps(directory: Path) -> tuple[int, ...]:
    # Nothing is counted in, or removed from, where a link leads.
    if directory.is_symlink() or not directory.is_dir():
        return ()
    names = {place.name for place in directory.iterdir()}
    steps = (int(match[1]) for name in names if (match := _STEP.fullmatch(name)))
    return tuple(sorted({step for step in steps if f"step-{step:09d}.h5" in names}, reverse=True))


def _sweep(directory: Path) -> None:
    """Remove what writers left that died: of this directory only its server writes to it."""
    for place in directory.iterdir():
        match = _TEMPORARY.fullmatch(place.name)
        if match and not _alive(match["host"], int(match["pid"])):
            place.unlink()


def _alive(host: str, pid: int) -> bool:
    """Whether another process of this machine has this id; of other machines it is not known.

    Should one there still be writing, its move into place will fail, which is as it should be.
    """
    if host != socket.gethostname() or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(directory: Path) -> None:
    """Force a directory's names to the disk; some file systems cannot, and say EINVAL."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _faults_named(place: Path, done: str) -> Iterator[None]:
    """Turn what the file system and h5py raise into a CheckpointError: which place, and why."""
    try:
        yield
    except FileError as fault:
        raise CheckpointError(f"{place}: not {done}: read back, {fault.reason}") from fault
    # h5py raises RuntimeError when closing a file fails, as on a full disk.
    except (OSError, RuntimeError, ValueError) as fault:
        raise CheckpointError(f"{place}: not {done}: {cause(fault)}") from fault
