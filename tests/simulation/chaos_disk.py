"""The checkpoints of a run, in memory; what stays and what a restart takes is the shipped code's.

What `checkpoint/store.py`, `evidence.py` and `restore.py` do with files is done with dictionaries.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from chaos_plan import Plan

from guanyu_mpi.checkpoint import election
from guanyu_mpi.checkpoint.hdf5 import Writers
from guanyu_mpi.messages import Vector
from guanyu_mpi.saves import median


class NothingToRestoreError(Exception):
    """There are checkpoints, and none that a restart could take: a CheckpointError there."""


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """Where a server goes on, and from whose checkpoints."""

    step: int
    params: Vector | None
    sources: tuple[int, ...]
    last_resort: bool = False


class Disk:
    """Checkpoints by server and step; what is torn is None."""

    def __init__(self, plan: Plan) -> None:
        self.files: dict[int, dict[int, Vector | None]] = defaultdict(dict)
        self._plan = plan
        self._writers = Writers.of(plan.cluster)
        self._restored = 0

    def save(self, server: int, step: int, params: Vector) -> None:
        """Write what is due, and remove what is no longer needed."""
        if step % self._plan.every and step != self._plan.steps:
            return
        own = self.files[server]
        own[step] = params.copy()
        self._set_aside(server, step)
        kept = election.retained(
            self.files, server, self._plan.keep, self._writers, self._restored
        )
        for older in own.keys() - kept:
            del own[older]

    def resume(self, server: int) -> Restored:
        """Restore a starting server, and make its checkpoints agree."""
        found = self._election()
        step = found.step if found else 0
        self._restored = step
        self._set_aside(server, step)
        if found is None:
            return Restored(0, None, ())
        last_resort = found.needed != self._writers.server_quorum
        own = server in found.holders
        sources = (server,) if own else found.holders
        found_files = (self.files[source][step] for source in sources)
        vectors = [vector for vector in found_files if vector is not None]
        params = vectors[0] if own else median(np.stack(vectors))
        self.files[server][step] = params.copy()
        return Restored(step, params.copy(), sources, last_resort)

    def valid(self) -> dict[int, set[int]]:
        """Steps of which each server has a sound checkpoint."""
        return {
            server: {step for step, params in files.items() if params is not None}
            for server, files in self.files.items()
        }

    def _election(self) -> election.Election | None:
        held = {self._writers: self.valid()}
        found = election.elect(held, self._writers)
        found = found or election.last_resort(held, self._writers)
        if found is None and not election.unfinished_first(self.files, self._writers):
            raise NothingToRestoreError(str(self.valid()))
        return found

    def _set_aside(self, server: int, step: int) -> None:
        own = self.files[server]
        for newer in [held for held in own if held > step]:
            del own[newer]
