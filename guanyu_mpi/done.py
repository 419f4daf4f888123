"""Done-files: what each rank says of its end. Success is judged by them, never by an exit status.

An MPI launcher can return 0 after losing the job, and not 0 after a death that was tolerated.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from guanyu_mpi.cluster import Cluster, Role
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
    for rank in range(cluster.num_ranks):
        try:
            done = Done(**json.loads(done_path(run_dir, rank).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        # Each rank speaks for itself alone.
        if done.rank == rank:
            found.append(done)
    return found


def has_finished(done: list[Done], cluster: Cluster, steps: int) -> bool:
    """Whether n - f servers say that they have reached the last step."""
    servers = [
        record
        for record in done
        if cluster.node(record.rank).role is Role.SERVER
        and record.finished
        and record.step == steps
    ]
    return len(servers) >= cluster.servers - cluster.byzantine_servers
