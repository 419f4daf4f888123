"""Simulated runs that leave a trace, and traces that somebody has changed."""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from click.testing import CliRunner, Result

from guanyu_mpi.cli import main
from guanyu_mpi.cluster import Node
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.messages import Message
from guanyu_mpi.run_dir import prepare_run_dir
from guanyu_mpi.simulation import simulate
from guanyu_mpi.trace import read_segments, trace_path
from guanyu_mpi.trace.record import NAMES, Layout
from guanyu_mpi.transport.participant import Participant

# Everything at once: two attackers, two slow nodes, and two that are cut off for a while.
HARD: dict[str, Mapping[str, object]] = {
    "run": {"name": "hard", "steps": 40, "seed": 3},
    "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
    "model": {"name": "quadratic", "options": {"dimension": 20}},
    "train": {"learning_rate": 0.1, "schedule": "inverse-time"}
    | {"schedule_options": {"half_life": 30.0}},
    "attack": {
        "workers": {"name": "reverse", "count": 1},
        "servers": {"name": "equivocate", "count": 1},
    },
    "checkpoint": {"every": 8},
    "simulation": {
        "slow": {"server-1": 300.0, "worker-2": 60.0},
        "partitions": [
            {"nodes": ["server-2", "worker-0"], "start_s": 0.1, "end_s": 0.4},
        ],
    },
}


class Killed(Exception):
    """The simulated job is gone, as by a kill -9 of everything."""


def config(**changes: Mapping[str, object]) -> Config:
    return parse_config({**HARD, **changes})


def run(of: Config, run_dir: Path, killed_at: int | None = None) -> None:
    """A life of a run: to its end, or until server 0 has reached a step."""

    def on_event(participants: dict[Node, Participant]) -> None:
        if killed_at is not None and participants[next(iter(of.nodes))].step >= killed_at:
            raise Killed

    prepare_run_dir(run_dir, of, fresh=False)
    try:
        result = simulate(of, run_dir, on_event)
    except Killed:
        return
    assert killed_at is None, "nothing was killed"
    assert not result.unfinished(of)


def replay(run_dir: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["replay", str(run_dir), *options], catch_exceptions=False)


def overwrite(path: Path, kind: type[Message], step: int, sender: int, by: int | None) -> None:
    """In a step's record, put one sender in the place of another; by nobody, and it is torn."""
    (segment,) = read_segments(path)
    place = list(segment.tables[kind]).index(step)
    with h5py.File(path, "r", locking=False) as file:
        dataset = file[f"life-{segment.header.life:04d}/{NAMES[kind]}"]
        layout = Layout(dataset.dtype["votes"].shape[0])
        offset = dataset.id.get_offset() + place * layout.size
        row = dataset[place : place + 1].copy()
    votes = row["votes"][0]["sender"]
    votes[votes == sender] = by or 0
    body = row.tobytes()[:-4]
    checksum = zlib.crc32(body) ^ (by is None)
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), body + np.uint32(checksum).tobytes(), offset)


def quorums(of: Config, run_dir: Path, node: Node, kind: type[Message]) -> list[tuple[int, ...]]:
    """For which steps the votes of each quorum of a node were, less the quorum's own."""
    found = []
    for segment in read_segments(trace_path(run_dir, of.nodes.rank(node))):
        for step in segment.tables[kind]:
            taken = segment.tables[kind].get(step)
            assert taken is not None
            found.append(tuple(at - step for at in taken.steps))
    return found


def adopted(of: Config, run_dir: Path, node: Node, kind: type[Message]) -> int:
    """How many quorums a server consumed without its own vote."""
    segments = read_segments(trace_path(run_dir, of.nodes.rank(node)))
    taken = [table.get(at) for one in segments for table in [one.tables[kind]] for at in table]
    return sum(quorum is not None and quorum.adopted for quorum in taken)
