"""The checkpoints of one server: checkpoints/server-03/step-000000400.h5, written atomically.

The order in which a run uses it: Store and `restore.resume` before start-up's last collective, so
that no server writes while another still reads; then `write` at steps that are due, one after the
other (`writer.py` says which of them, where a disk is slow). Servers are told nothing of each
other's files: what may be removed is decided by looking at those that are there.
"""

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np

from guanyu_mpi.checkpoint.atomic import faults_named, replace, sweep, sync
from guanyu_mpi.checkpoint.election import Holdings, restorable, retained
from guanyu_mpi.checkpoint.hdf5 import (
    NO_NOTES,
    Checkpoint,
    Header,
    Notes,
    Writers,
    read_file,
    write_file,
)
from guanyu_mpi.checkpoint.vector_file import TEXT_MAX, FileError
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError, InvariantError
from guanyu_mpi.messages import Vector
from guanyu_mpi.protocol.divergence import is_finite

ABANDONED = ".abandoned"

_SERVER = re.compile(r"server-([0-9]{2,6})")
_STEP = re.compile(r"step-([0-9]{9,18})\.h5")


def path_of(root: Path, server: int, step: int) -> Path:
    """Where a server's checkpoint of a step lies."""
    return root / f"server-{server:02d}" / f"step-{step:09d}.h5"


def scan(root: Path) -> dict[int, tuple[int, ...]]:
    """Steps of which each server has a file, newest first; by their names, so unverified."""
    with faults_named(root, "listed"):
        if not root.exists():
            return {}
        names = (_SERVER.fullmatch(place.name) for place in root.iterdir())
        servers = sorted(int(match[1]) for match in names if match)
        return {server: steps_in(path_of(root, server, 0).parent) for server in servers}


def steps_in(directory: Path) -> tuple[int, ...]:
    """Steps of which a directory has a file, newest first; by their names, so unverified."""
    # Nothing is counted in, or removed from, where a link leads.
    if directory.is_symlink() or not directory.is_dir():
        return ()
    names = {place.name for place in directory.iterdir()}
    steps = (int(match[1]) for name in names if (match := _STEP.fullmatch(name)))
    return tuple(sorted({step for step in steps if f"step-{step:09d}.h5" in names}, reverse=True))


def prepare(directory: Path) -> None:
    """Make a directory of the files of steps, and clear it of what killed writers have left."""
    with faults_named(directory, "prepared"):
        if directory.is_symlink():
            raise CheckpointError(
                f"{directory}: is a symbolic link; link {directory.parent} instead"
            )
        directory.mkdir(parents=True, exist_ok=True)
        sync(directory.parent)
        sweep(directory)


def read(path: Path, dimension: int | None = None, identity: str | None = None) -> Checkpoint:
    """Read and verify a checkpoint, which must also be the one that its path says it is."""
    checkpoint = read_file(path, dimension, identity)
    header = checkpoint.header
    expected = path_of(path.parent.parent, header.server, header.step)
    if path.name != expected.name or path.parent.name != expected.parent.name:
        raise FileError(path, f"is a copy of server {header.server}'s step {header.step}")
    return checkpoint


class Store:
    """Where one server of one run keeps its checkpoints.

    The `keep` newest stay, and for good those of steps that are a multiple of `keep_every`, if
    that is not 0.
    """

    def __init__(
        self,
        root: Path,
        server: int,
        cluster: Cluster,
        *,
        dimension: int,
        identity: str,
        keep: int,
        keep_every: int = 0,
    ) -> None:
        if not (0 <= server < cluster.servers and keep >= 1 and dimension >= 1):
            raise InvariantError(f"no store for {server=} of {cluster} with {keep=}, {dimension=}")
        if not (identity.isascii() and identity.isprintable() and len(identity) <= TEXT_MAX):
            raise InvariantError(f"{identity=} is not a short text")
        self.root, self.server, self.cluster = root, server, cluster
        self.dimension, self.identity = dimension, identity
        self.keep, self.keep_every = keep, keep_every
        self._directory = path_of(root, server, 0).parent
        self._restored = 0  # the step that this life of the run began at
        self._restorable = 0  # the newest that a quorum was seen to have
        prepare(self._directory)

    def write(self, step: int, params: Vector, notes: Notes = NO_NOTES) -> Path:
        """Save params (d,) after `step`, and then remove what is no longer needed.

        When this raises CheckpointError, a restart finds no less than it would have before.
        """
        path = path_of(self.root, self.server, step)
        if step < 1 or params.shape != (self.dimension,) or params.dtype != np.float32:
            raise InvariantError(f"{path}: {params.dtype} {params.shape} at {step=} to be saved")
        if not is_finite(params):
            raise CheckpointError(f"{path}: not written: its params are not finite")
        header = self._header(step, notes)
        with faults_named(path, "written"):
            replace(path, lambda place: write_file(place, Checkpoint(header, params)))
        with faults_named(self._directory, "tidied"):
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
        self._restored = self._restorable = step
        with faults_named(self._directory, "rewound"):
            self._set_aside(scan(self.root), step)

    def _header(self, step: int, notes: Notes) -> Header:
        return Header(
            step=step,
            server=self.server,
            identity=self.identity,
            restorable=self._restorable,
            **asdict(self.cluster),
            **asdict(notes),
        )

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
        self._restorable = restorable(seen, writers, self._restored)
        kept = retained(seen, self.server, self.keep, writers, self._restored)
        for server in self._own(present):
            for older in (older for older in present[server] if older <= step):
                if older not in kept and not self._is_for_good(older):
                    path_of(self.root, server, older).unlink()

    def _is_for_good(self, step: int) -> bool:
        return self.keep_every > 0 and step % self.keep_every == 0

    def _own(self, present: Holdings) -> list[int]:
        """This server, and its share of the servers that the run once had and has no more.

        Without an heir, what 13 servers left would outlive the 6 that went on, and would one day
        be the newest quorum of 13 again.
        """
        servers = self.cluster.servers
        former = (server for server in present if server >= servers)
        return [self.server, *(gone for gone in former if gone % servers == self.server)]
