"""A worker's momentum on the disk: checkpoints/worker-03/step-000000400.h5, written atomically.

One file per worker and step, of what it had averaged before it computed at that step. Only its
own worker reads it, so a wrong one spoils one worker's vectors and nobody's restart.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from guanyu_mpi import __version__
from guanyu_mpi.checkpoint.atomic import faults_named, replace
from guanyu_mpi.checkpoint.election import restorable, retained
from guanyu_mpi.checkpoint.hdf5 import Writers
from guanyu_mpi.checkpoint.store import ABANDONED, prepare, scan, steps_in
from guanyu_mpi.checkpoint.vector_file import FileError, Kind, opened
from guanyu_mpi.checkpoint.vector_writing import write_vector
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.messages import Vector


@dataclass(frozen=True, slots=True)
class MomentumHeader:
    """What a file says about itself; each field is an attribute of it."""

    step: int
    worker: int
    identity: str
    guanyu_mpi_version: str = field(default=__version__, compare=False)


MOMENTUM = Kind(
    name="momentum",
    version=1,
    dataset="momentum",
    attributes={"step": int, "worker": int, "identity": str, "guanyu_mpi_version": str},
)


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """Where a worker goes on: the step and vector (d,) of its newest sound momentum, if any.

    Also what was wrong with newer ones.
    """

    step: int | None
    vector: Vector | None
    faults: tuple[FileError, ...]


def momentum_path(root: Path, worker: int, step: int) -> Path:
    """Where a worker's momentum of a step lies."""
    return root / f"worker-{worker:02d}" / f"step-{step:09d}.h5"


def momentum_steps(root: Path, worker: int) -> tuple[int, ...]:
    """Steps of which a worker has a file, newest first; by their names, so unverified."""
    return steps_in(momentum_path(root, worker, 0).parent)


def read_momentum(path: Path, dimension: int) -> tuple[MomentumHeader, Vector]:
    """Read a file whose every byte may be wrong; FileError says what is."""
    with opened(path, MOMENTUM) as file:
        if file.dimension != dimension:
            raise ValueError(f"holds {file.dimension} numbers, while the model has {dimension}")
        vector = file.vector()
        # By each field's declared type.
        return MomentumHeader(**file.attributes), vector  # type: ignore[arg-type]


class MomentumStore:
    """Where one worker of one run keeps its momentum.

    The `keep` newest stay, and what a restart from the files of these writers may need.
    """

    def __init__(
        self,
        root: Path,
        worker: int,
        *,
        dimension: int,
        identity: str,
        keep: int,
        writers: Writers,
    ) -> None:
        self._root, self._worker = root, worker
        self._dimension, self._identity = dimension, identity
        self._keep, self._writers = keep, writers
        self._restored = 0  # the step that this life of the run began at
        self._directory = momentum_path(root, worker, 0).parent
        prepare(self._directory)

    def resume(self, step: int) -> Begun:
        """What a run that begins at `step` goes on with; nothing is changed."""
        self._restored = step
        faults: list[FileError] = []
        steps = momentum_steps(self._root, self._worker)
        for held in (held for held in steps if held <= step):
            try:
                return Begun(held, self._read(held), tuple(faults))
            except FileError as fault:
                faults.append(fault)
        return Begun(None, None, tuple(faults))

    def rewind(self) -> None:
        """Set aside what is newer than the step that the run has begun at.

        It belongs to a life that went on to steps at which no quorum has saved anything.
        """
        with faults_named(self._directory, "rewound"):
            steps = momentum_steps(self._root, self._worker)
            for newer in (held for held in steps if held > self._restored):
                path = self._path(newer)
                path.replace(path.with_name(path.name + ABANDONED))

    def write(self, step: int, vector: Vector) -> None:
        """Save the momentum (d,) before `step`, and remove what is no longer needed.

        When this raises CheckpointError, a restart finds no less than it would have before.
        """
        path = self._path(step)
        if not np.isfinite(vector).all():
            raise CheckpointError(f"{path}: not written: the momentum is not finite")
        header = MomentumHeader(step, self._worker, self._identity)
        with faults_named(path, "written"):
            replace(path, lambda place: write_vector(place, MOMENTUM, asdict(header), vector))
        with faults_named(self._directory, "tidied"):
            for abandoned in self._directory.glob(f"step-*.h5{ABANDONED}"):
                abandoned.unlink()
            self._prune()

    def _prune(self) -> None:
        steps, servers = momentum_steps(self._root, self._worker), scan(self._root)
        # By the rule for servers' files, as one more of them that counts in no quorum.
        me = self._writers.servers
        kept = retained({**servers, me: steps}, me, self._keep, self._writers, self._restored)
        # Who skips steps has none of the very step, and goes on with the one before it.
        needed = restorable(servers, self._writers, self._restored)
        kept.add(next((step for step in steps if step <= needed), needed))
        for needless in (step for step in steps if step not in kept):
            self._path(needless).unlink()

    def _path(self, step: int) -> Path:
        return momentum_path(self._root, self._worker, step)

    def _read(self, step: int) -> Vector:
        header, vector = read_momentum(self._path(step), self._dimension)
        if header != MomentumHeader(step, self._worker, self._identity):
            reason = f"is of worker {header.worker} at step {header.step} of {header.identity!r}"
            raise FileError(self._path(step), reason)
        return vector
