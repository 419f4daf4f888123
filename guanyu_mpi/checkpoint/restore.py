"""Where a run goes on: the highest step that a quorum of servers holds validly.

Every server decides for itself, by the same rule from the same files: all have read before any
of them writes. Reading changes nothing; `begin`, which a starting server calls after that,
touches its own directory only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.checkpoint.election import Election
from guanyu_mpi.checkpoint.evidence import Evidence
from guanyu_mpi.checkpoint.hdf5 import Writers
from guanyu_mpi.checkpoint.store import Store, path_of
from guanyu_mpi.checkpoint.vector_file import FileError
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError, InvariantError
from guanyu_mpi.messages import Vector

Contraction: TypeAlias = Callable[[npt.NDArray[np.float32]], Vector]

# 99 of 100 params of honest servers in simulated runs lay within 7 times; whoever is taken for a
# stray wrongly begins with the median, as every step ends with one.
STRAY_MIN = 10.0


class StrayError(FileError):
    """A file is valid, and its params are farther from the others' than an honest server's."""

    def __init__(self, path: Path, distance: float, usual: float) -> None:
        super().__init__(
            path,
            f"differs from the others': up to {distance:.1e} from the median, where they are "
            f"within {usual:.1e}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a run goes on: how the step was chosen, and the median (d,) of its holders' params.

    `own` are the holders that go on from their own file, by their params; all others begin with
    the median. `faults` are what was wrong with the files that were read on the way.
    """

    election: Election
    median: Vector
    own: dict[int, Vector]
    faults: tuple[FileError, ...]


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
    step: int | None = None,
) -> Restored | None:
    """A server's params at the step a restart takes; None if there is nothing to restore.

    Its own file bit for bit if that is valid and does not stray, else `contraction` (n, d) -> (d,)
    of all holders', in the order of servers. Without a server, that: the model as nobody in
    particular has it. With a step, of that step or not at all.
    """
    evidence = Evidence(root, cluster, dimension, identity, step)
    found = origin(evidence, contraction)
    if found is None:
        return None
    own = server in found.own
    params = found.own[server] if server is not None and own else found.median
    return Restored(found.election.step, params.copy(), own, found.election, found.faults)


def origin(evidence: Evidence, contraction: Contraction) -> Origin | None:
    """Where all servers of a run go on; None if there is nothing to restore."""
    election = evidence.election()
    if election is None:
        return None
    vectors_nd = evidence.vectors(election)
    median = _contracted(vectors_nd, contraction)
    strays = _strays(evidence.root, election, vectors_nd, median)
    own = {
        server: vector
        for server, vector in zip(election.holders, vectors_nd, strict=True)
        if server not in strays
    }
    return Origin(election, median, own, (*evidence.faults.values(), *strays.values()))


def resume(store: Store, contraction: Contraction) -> Restored | None:
    """Restore a starting server; None is a start at step 0. Nothing is changed.

    After all ranks have found what they need, `begin`: a start that is refused changes nothing.
    """
    return restore(
        store.root,
        store.server,
        store.cluster,
        dimension=store.dimension,
        identity=store.identity,
        contraction=contraction,
    )


def begin(store: Store, restored: Restored | None) -> None:
    """Begin with what was restored: set aside what is newer, and replace what was wrong.

    A server whose own file was missing or wrong writes what it restored, so that the next restart
    finds it. Unless other writers saved that step: it must not take a file away from their quorum.
    """
    try:
        store.rewind(restored.step if restored else 0)
    finally:
        if (
            restored
            and not restored.own
            and restored.election.writers == Writers.of(store.cluster)
        ):
            store.write(restored.step, restored.params)


def accept_fewer(stores: Sequence[Store], contraction: Contraction) -> Election | None:
    """Where too few servers hold any step, give the median of what there is to all of them.

    From then on a restart takes that step. One store for each server, of which none may run.
    """
    store = stores[0]
    evidence = Evidence(store.root, store.cluster, store.dimension, store.identity)
    election = evidence.election(accept_fewer=True)
    if election is None or election.sound:
        return None
    median = _contracted(evidence.vectors(election), contraction)
    # Holders last: killed in between, it is the same median that the next attempt makes.
    for store in sorted(stores, key=lambda store: store.server in election.holders):
        store.write(election.step, median)
    return election


def _strays(
    root: Path, election: Election, vectors_nd: npt.NDArray[np.float32], median: Vector
) -> dict[int, StrayError]:
    """The holders that are farther from the median than an honest one, by server.

    At most f are farther than the (n - f)-th nearest and lie, so that this is no farther than the
    farthest honest one, and neither is the median of 2f + 1 or more outside the honest ones.
    """
    # What liars have made up may be as far away as float32 goes.
    with np.errstate(over="ignore"):
        distances = [float(np.abs(vector - median).max()) for vector in vectors_nd]
    nearest = max(0, len(distances) - election.writers.byzantine_servers - 1)
    usual = sorted(distances)[nearest]
    return {
        server: StrayError(path_of(root, server, election.step), distance, usual)
        for server, distance in zip(election.holders, distances, strict=True)
        if distance > STRAY_MIN * usual
    }


def _contracted(vectors_nd: npt.NDArray[np.float32], contraction: Contraction) -> Vector:
    params = contraction(vectors_nd)
    if params.shape != vectors_nd.shape[1:] or params.dtype != np.float32:
        raise InvariantError(f"the contraction made {params.dtype} {params.shape}")
    if not np.isfinite(params).all():
        raise CheckpointError("the contraction of the servers' checkpoints is not finite")
    return params
