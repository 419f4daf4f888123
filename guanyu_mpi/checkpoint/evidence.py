"""What the checkpoint files of a run prove, gathered file by file."""

from collections.abc import Iterator
from pathlib import Path

from guanyu_mpi.checkpoint.election import Election, elect, last_resort, unfinished_first
from guanyu_mpi.checkpoint.hdf5 import FileError, ForeignError, Header, Writers
from guanyu_mpi.checkpoint.store import path_of, read, scan
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError

# An honest server has `keep` files and AHEAD_MAX more; what one makes up beyond is not read.
FILES_MAX = 64

_REASONS_MAX = 3  # faults of one server that an error message quotes


class Evidence:
    """Which files there are, what the valid ones say, and what is wrong with the others.

    A file of another run counts as invalid while at most byzantine_servers servers have one.
    """

    def __init__(
        self, root: Path, cluster: Cluster, dimension: int | None, identity: str | None
    ) -> None:
        self.root = root
        self.current = Writers.of(cluster)
        self.present = {server: steps[:FILES_MAX] for server, steps in scan(root).items()}
        self.headers: dict[tuple[int, int], Header] = {}  # (server, step)
        self.faults: dict[tuple[int, int], FileError] = {}  # (server, step)
        self._dimension, self._identity = dimension, identity

    def election(self) -> Election | None:
        """The step that a restart takes, reading no more than it needs; None: it starts at 0.

        Raises CheckpointError where a start at 0 would throw away what is there.
        """
        for step in self._steps():
            self.read(step)
            if len(foreign := self._foreign()) > self.current.byzantine_servers:
                raise foreign[0]
            elected = elect(self._held(), self.current)
            # Of other writers' steps, only what all the files say tells which are believed.
            if elected and elected.writers == self.current:
                return elected
        held = self._held()
        if elected := elect(held, self.current) or last_resort(held, self.current):
            return elected
        if all(unfinished_first(self._maybe_of(who), who) for who in {self.current, *held}):
            return None
        raise CheckpointError("\n".join(self._unrestorable()))

    def read(self, step: int) -> None:
        """Read and verify every server's file of a step."""
        for server in (server for server, steps in self.present.items() if step in steps):
            path = path_of(self.root, server, step)
            try:
                self.headers[server, step] = read(path, self._dimension, self._identity).header
            except FileError as fault:
                self.faults[server, step] = fault

    def _steps(self) -> list[int]:
        """Newest first, but those that too few servers have for a restart after all others."""
        f = self.current.byzantine_servers
        least = min(self.current.server_quorum, 2 * f + 1, 3)
        names = [step for steps in self.present.values() for step in steps]
        return sorted(set(names), key=lambda step: (names.count(step) >= least, step))[::-1]

    def _held(self) -> dict[Writers, dict[int, set[int]]]:
        """Steps held validly, by those who wrote them together: writers -> server -> steps."""
        held: dict[Writers, dict[int, set[int]]] = {}
        for (server, step), header in self.headers.items():
            held.setdefault(header.writers, {}).setdefault(server, set()).add(step)
        return held

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

    def _foreign(self) -> list[ForeignError]:
        """One file of another run for each server that has any."""
        found = {
            server: fault
            for (server, _), fault in self.faults.items()
            if isinstance(fault, ForeignError)
        }
        return list(found.values())

    def _unrestorable(self) -> Iterator[str]:
        """Why no step can be restored, what each server holds, and what can be done."""
        quorum, f = self.current.server_quorum, self.current.byzantine_servers
        yield (
            f"{self.root}: no step can be restored: none is held validly by "
            f"server_quorum = {quorum} servers, nor by 2f + 1 = {2 * f + 1}"
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
        yield "nothing was changed; --fresh with another --run-dir starts anew"
