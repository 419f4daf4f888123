"""One checkpoint file: a server's parameters after a step, and what it says about them."""

import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import h5py
import numpy as np

from guanyu_mpi import __version__
from guanyu_mpi.checkpoint.vector_file import Attributes, Kind, UnfitError, opened
from guanyu_mpi.checkpoint.vector_writing import write_vector
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.messages import Vector


class ForeignError(UnfitError):
    """A file is sound, but another run wrote it: another model, other data or another seed."""

    def __init__(self, path: Path, identity: str, expected: str) -> None:
        super().__init__(path, f"belongs to another run: {identity!r}, while this is {expected!r}")


@dataclass(frozen=True, slots=True)
class Writers:
    """The servers that save together: how many, how many of them may lie, and their quorum."""

    servers: int
    byzantine_servers: int
    server_quorum: int

    @classmethod
    def of(cls, cluster: Cluster) -> "Writers":
        """The servers of a cluster."""
        return cls(cluster.servers, cluster.byzantine_servers, cluster.server_quorum)


@dataclass(frozen=True, slots=True)
class Notes:
    """What else was so when a checkpoint was made: for people, as nothing is decided by it.

    The run's seed, its schedule and the rate of the next update, and the life of the run in whose
    trace the quorums up to this step are: 0 if it is in none.
    """

    seed: int = 0
    schedule: str = ""
    learning_rate: float = 0.0
    life: int = 0


NO_NOTES = Notes()


def _torch_version() -> str:
    """Of the torch that this process has loaded, if it has: loading it takes seconds."""
    torch = sys.modules.get("torch")
    return str(torch.__version__) if torch else ""


@dataclass(frozen=True, slots=True)
class Header:
    """What a checkpoint says about itself; each field is an attribute of the file.

    `restorable` is the step that a restart would take, as far as its server knew when it wrote
    this: 0 where it knew of no quorum.
    """

    step: int
    server: int
    identity: str
    servers: int
    byzantine_servers: int
    server_quorum: int
    workers: int = 0
    byzantine_workers: int = 0
    worker_quorum: int = 0
    seed: int = 0
    schedule: str = ""
    learning_rate: float = 0.0
    life: int = 0
    restorable: int = 0
    guanyu_mpi_version: str = __version__
    python_version: str = sys.version.split()[0]
    numpy_version: str = np.__version__
    h5py_version: str = h5py.__version__
    torch_version: str = field(default_factory=_torch_version)

    @property
    def writers(self) -> Writers:
        """The servers that this one saved together with."""
        return Writers(self.servers, self.byzantine_servers, self.server_quorum)


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """One server's parameters after a step, shape (d,), and what the file says about them."""

    header: Header
    params: Vector


# Version 1 had neither workers nor notes, and was never released.
CHECKPOINT = Kind(
    name="checkpoint",
    version=2,
    dataset="params",
    attributes={each.name: each.type for each in fields(Header)},  # type: ignore[misc]  # no Any
)


def write_file(path: Path, checkpoint: Checkpoint) -> None:
    """Write a file and force it to the disk; faults of h5py and the file system pass through."""
    write_vector(path, CHECKPOINT, asdict(checkpoint.header), checkpoint.params)


def read_file(path: Path, dimension: int | None = None, identity: str | None = None) -> Checkpoint:
    """Read a file whose every byte may be wrong; FileError says what is.

    Nothing is allocated before the shape is known to be `dimension`, or, where the caller cannot
    know it, to be no larger than the file.
    """
    with opened(path, CHECKPOINT) as file:
        header = _header(file.attributes)
        foreign = identity is not None and header.identity != identity
        if dimension not in (None, file.dimension):
            if foreign:
                raise ForeignError(path, header.identity, str(identity))
            sizes = f"holds {file.dimension} params, while the model has {dimension}"
            raise UnfitError(path, sizes)
        params = file.vector()
        if foreign:
            raise ForeignError(path, header.identity, str(identity))
    return Checkpoint(header, params)


def _header(attributes: Attributes) -> Header:
    header = Header(**attributes)  # type: ignore[arg-type]  # by each field's declared type
    if not 0 <= header.server < header.servers:
        raise ValueError(f"server {header.server} of {header.servers} servers does not exist")
    if not 0 <= header.byzantine_servers < header.server_quorum <= header.servers:
        raise ValueError(f"its numbers of servers contradict each other: {header.writers}")
    return header
