"""What the checkpoint files of a run prove, gathered file by file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from guanyu_mpi.checkpoint.election import (
    Election,
    elect,
    last_resort,
    majority,
    most_held,
    unfinished_first,
)
from guanyu_mpi.checkpoint.hdf5 import Header, Writers
from guanyu_mpi.checkpoint.store import path_of, read, scan
from guanyu_mpi.checkpoint.vector_file import FileError, UnfitError
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.messages import Vector

# Newer than the last `keep` of an honest server are AHEAD_MAX; what one makes up is not read.
FILES_MAX = 64

_REASONS_MAX = 3  # faults of one server that an error message quotes


class Evidence:
    """Which files there are, what the valid ones say, and what is wrong with the others.

    A file of another run, model or version counts as invalid while at most byzantine_servers
    servers have one.
    With a step, files of other steps do not count at all.
    """

    def __init__(
        self,
        root: Path,
        cluster: Cluster,
        dimension: int | None,
        identity: str | None,
        step: int | None = None,
    ) -> None:
        self.root = root
        self.current = Writers.of(cluster)
        self.present = {
            server: tuple(held for held in steps if step in (None, held))[:FILES_MAX]
            for server, steps in scan(root).items()
        }
        self.headers: dict[tuple[int, int], Header] = {}  # (server, step)
        self.faults: dict[tuple[int, int], FileError] = {}  # (server, step)
        self._dimension, self._identity = dimension, identity
        # The params of the step that was read last, by server: nearly always what is asked for.
        self._read: tuple[int, dict[int, Vector]] = -1, {}

    def election(self, *, accept_fewer: bool = False) -> Election | None:
        """The step that a restart takes, reading no more than it needs; None: it starts at 0.

        Raises CheckpointError where a start at 0 would throw away what is there, unless what
        too few servers hold is to be accepted, and there is some.
        """
        for step in self._steps():
            self.read(step)
            if len(unfit := self._unfit()) > self.current.byzantine_servers:
                raise unfit[0]
            elected = elect(self._held(), self.current)
            # Of other writers' steps, only what all the files say tells which are believed.
            if elected and elected.writers == self.current:
                return elected
        held = self._held()
        if elected := elect(held, self.current) or last_resort(held, self.current):
            return elected
        beginners = self._beginners()
        if all(
            unfinished_first(self._maybe_of(who), who, beginners) for who in {self.current, *held}
        ):
            return None
        if accept_fewer and (elected := most_held(held)):
            return elected
        raise CheckpointError("\n".join(self._unrestorable()))

    def read(self, step: int) -> None:
        """Read and verify every server's file of a step."""
        vectors: dict[int, Vector] = {}
        self._read = step, vectors
        for server in (server for server, steps in self.present.items() if step in steps):
            path = path_of(self.root, server, step)
            try:
                checkpoint = read(path, self._dimension, self._identity)
            except FileError as fault:
                self.faults[server, step] = fault
            else:
                self.headers[server, step] = checkpoint.header
                vectors[server] = checkpoint.params

    def vectors(self, election: Election) -> npt.NDArray[np.float32]:
        """The holders' params of the elected step, (n, d), in the order of servers."""
        if self._read[0] != election.step:
            self.read(election.step)
        vectors = self._read[1]
        if gone := [server for server in election.holders if server not in vectors]:
            path = path_of(self.root, gone[0], election.step)
            raise CheckpointError(f"{path}: has changed since it was read")
        # Of a directory that is read without knowing the model, liars may have made up another d.
        if len({vectors[server].shape for server in election.holders}) > 1:
            raise CheckpointError(f"{self.root}: files of step {election.step} differ in length")
        return np.stack([vectors[server] for server in election.holders])

    def _steps(self) -> list[int]:
        """Newest first, but those that too few servers have for a restart after all others."""
        least = min(self.current.server_quorum, majority(self.current), 3)
        names = [step for steps in self.present.values() for step in steps]
        return sorted(set(names), key=lambda step: (names.count(step) >= least, step))[::-1]

    def _held(self) -> dict[Writers, dict[int, set[int]]]:
        """Steps held validly, by those who wrote them together: writers -> server -> steps."""
        held: dict[Writers, dict[int, set[int]]] = {}
        for (server, step), header in self.headers.items():
            held.setdefault(header.writers, {}).setdefault(server, set()).add(step)
        return held

    def _beginners(self) -> set[int]:
        """Servers that have valid files, of which none knew of a step to restore."""
        valid = {server for server, _ in self.headers}
        return valid - {at[0] for at, header in self.headers.items() if header.restorable}

    def _maybe_of(self, writers: Writers) -> dict[int, list[int]]:
        """Steps of which there is a file that no one else is known to have written."""
        return {
            server: [
                step
                for step in steps
                if (server, step) not in self.headers
                or self.headers[server, step].writers == writers
            ]
            for server, steps in self.present.items()
        }

    def _unfit(self) -> list[UnfitError]:
        """One file of another run, model or version for each server that has any."""
        found = {
            server: fault
            for (server, _), fault in self.faults.items()
            if isinstance(fault, UnfitError)
        }
        return list(found.values())

    def _unrestorable(self) -> Iterator[str]:
        """Why no step can be restored, what each server holds, and what can be done."""
        yield (
            f"{self.root}: no step can be restored: none is held validly by server_quorum = "
            f"{self.current.server_quorum} servers, nor by 2f + 1 = {majority(self.current)}"
        )
        for server, steps in self.present.items():
            valid = [str(step) for step in steps if (server, step) in self.headers]
            faults = [fault for (holder, _), fault in self.faults.items() if holder == server]
            quoted = [f"{fault.path.name} {fault.reason}" for fault in faults[:_REASONS_MAX]]
            more = len(faults) - len(quoted)
            quoted += [f"and {more} more"] if more else []
            yield "; ".join(
                [f"server {server} holds {', '.join(valid) or 'nothing valid'}", *quoted]
            )
        for others in self._held().keys() - {self.current}:
            yield f"a cluster with {others} wrote some of them and may be able to restore them"
        if fewer := most_held(self._held()):
            yield (
                f"nothing was changed; --accept-fewer starts from the median of the "
                f"{len(fewer.holders)} valid files of step {fewer.step}, which liars may have "
                "made; --fresh with another --run-dir starts anew"
            )
        else:
            yield "nothing was changed; --fresh with another --run-dir starts anew"
