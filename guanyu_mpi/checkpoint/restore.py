"""Where a run goes on: the highest step that a quorum of servers holds validly.

Every server decides for itself, by the same rule from the same files. Reading changes nothing;
only `resume`, which a starting server calls, touches its own directory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.checkpoint.election import Election
from guanyu_mpi.checkpoint.evidence import Evidence
from guanyu_mpi.checkpoint.hdf5 import FileError, Writers
from guanyu_mpi.checkpoint.store import Store, path_of, read
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError, InvariantError
from guanyu_mpi.messages import Vector

Contraction: TypeAlias = Callable[[npt.NDArray[np.float32]], Vector]


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """Where a server goes on: the step, its params (d,), whether they are its own file's.

    Also how the step was chosen, and what was wrong with the files that were read on the way.
    """

    step: int
    params: Vector
    own: bool
    election: Election
    faults: tuple[FileError, ...]


def restore(
    root: Path,
    server: int | None,
    cluster: Cluster,
    *,
    dimension: int,
    identity: str,
    contraction: Contraction,
) -> Restored | None:
    """A server's params at the step a restart takes; None if there is nothing to restore.

    Its own file bit for bit if that is valid, else `contraction` (n, d) -> (d,) of all others',
    in the order of servers. Without a server, that of all: the model as nobody in particular
    has it.
    """
    evidence = Evidence(root, cluster, dimension, identity)
    election = evidence.election()
    if election is None:
        return None
    own = server in election.holders
    sources = election.holders if server is None or not own else (server,)
    paths = [path_of(root, source, election.step) for source in sources]
    vectors_nd = np.stack([read(path, dimension, identity).params for path in paths])
    params = vectors_nd[0] if own else _contracted(vectors_nd, contraction)
    return Restored(election.step, params, own, election, tuple(evidence.faults.values()))


def resume(store: Store, contraction: Contraction) -> Restored | None:
    """Restore a starting server and make its directory agree; None is a start at step 0.

    What is newer than the restored step is set aside (`Store.rewind`). A server whose own file
    was missing or damaged writes what it restored, so that the next restart finds it; unless
    other writers saved that step: it must not take a file away from their quorum.
    """
    restored = restore(
        store.root,
        store.server,
        store.cluster,
        dimension=store.dimension,
        identity=store.identity,
        contraction=contraction,
    )
    store.rewind(restored.step if restored else 0)
    if restored and not restored.own and restored.election.writers == Writers.of(store.cluster):
        store.write(restored.step, restored.params)
    return restored


def _contracted(vectors_nd: npt.NDArray[np.float32], contraction: Contraction) -> Vector:
    params = contraction(vectors_nd)
    if params.shape != vectors_nd.shape[1:] or params.dtype != np.float32:
        raise InvariantError(f"the contraction made {params.dtype} {params.shape}")
    if not np.isfinite(params).all():
        raise CheckpointError("the contraction of the other servers' checkpoints is not finite")
    return params
