"""Done-files: what each rank says of its end. Success is judged by them, never by an exit status.

An MPI launcher can return 0 after losing the job, and not 0 after a death that was tolerated.
"""

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.listing import names_in
from guanyu_mpi.protocol.effects import Outcome


@dataclass(frozen=True, slots=True)
class Done:
    """How the part of one rank ended."""

    rank: int
    node: str
    outcome: str
    step: int
    reason: str

    @property
    def finished(self) -> bool:
        """Whether this rank reached the last step."""
        return self.outcome == Outcome.FINISHED.value

    @property
    def left(self) -> bool:
        """Whether this rank was told to leave before that, and has saved what it has."""
        return self.outcome == Outcome.LEFT.value


def done_path(run_dir: Path, rank: int) -> Path:
    """Where a rank says how it ended."""
    return run_dir / "done" / f"rank-{rank:03d}.json"


def write_done(run_dir: Path, done: Done) -> None:
    """Write a rank's done-file, whole or not at all."""
    path = done_path(run_dir, done.rank)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(asdict(done), file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def clear_done(run_dir: Path, rank: int) -> None:
    """Remove what this rank said in an earlier life of the run."""
    done_path(run_dir, rank).unlink(missing_ok=True)


def read_done(run_dir: Path, cluster: Cluster) -> list[Done]:
    """Done-files of a run, by rank; one that cannot be read says nothing."""
    found = []
    paths = [done_path(run_dir, rank) for rank in range(cluster.num_ranks)]
    there = names_in(paths[0].parent)
    for rank, path in enumerate(paths):
        if path.name not in there:
            continue
        try:
            done = Done(**json.loads(path.read_text(encoding="utf-8")))
        # Thousands of brackets exhaust the stack.
        except (OSError, ValueError, TypeError, RecursionError):
            continue
        # Each rank speaks for itself alone, and may be Byzantine.
        if done.rank == rank and _is_well_formed(done):
            found.append(done)
    return found


def _is_well_formed(done: Done) -> bool:
    """Whether each field is of its type: a file can hold any JSON."""
    words = (done.node, done.outcome, done.reason)
    numbers = (done.rank, done.step)
    return all(isinstance(word, str) for word in words) and all(
        type(number) is int for number in numbers
    )


def has_finished(done: list[Done], cluster: Cluster, steps: int) -> bool:
    """Whether n - f servers say that they have reached the last step."""
    there = [server for server in _servers(done, cluster) if _is_there(server, steps)]
    return len(there) >= cluster.servers - cluster.byzantine_servers


def left_at(done: list[Done], cluster: Cluster) -> int | None:
    """The step at which a quorum of servers say that they have left, and saved; None without."""
    steps = Counter(record.step for record in _servers(done, cluster) if record.left)
    return max((at for at in steps if steps[at] >= cluster.server_quorum), default=None)


def is_leaving(done: list[Done], cluster: Cluster, steps: int) -> bool:
    """Whether all others are about to leave: more servers have than can lie.

    Or fewer, whom those who go on miss: one has failed before, and the first of the rest has left.
    """
    left = [server for server in _servers(done, cluster) if server.left]
    if len(left) > cluster.byzantine_servers:
        return True
    return bool(left) and is_lost(done, cluster, steps)


def is_lost(done: list[Done], cluster: Cluster, steps: int) -> bool:
    """Whether servers say that they have ended elsewhere, and fewer than a quorum are left."""
    elsewhere = [server for server in _servers(done, cluster) if not _is_there(server, steps)]
    return cluster.servers - len(elsewhere) < cluster.server_quorum


def _servers(done: list[Done], cluster: Cluster) -> list[Done]:
    return [record for record in done if cluster.node(record.rank).role is Role.SERVER]


def _is_there(record: Done, steps: int) -> bool:
    return record.finished and record.step == steps
