"""Runs of a problem whose steps take milliseconds, and no torch."""

from pathlib import Path

from guanyu_mpi.metrics import read_events

# Done within a second by a simulation. One Byzantine server and worker are tolerated.
TINY: dict[str, dict[str, object]] = {
    "run": {"name": "tiny", "steps": 12, "seed": 3},
    "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
    "model": {"name": "quadratic", "options": {"dimension": 20}},
    "train": {"learning_rate": 0.2},
    "checkpoint": {"every": 5},
    "observe": {"every": 4},
}

_EVEN = """
[run]
name = "{name}"
steps = {steps}

[cluster]
servers = {nodes}
byzantine_servers = {byzantine}
workers = {nodes}
byzantine_workers = {byzantine}

[model]
name = "quadratic"

[train]
learning_rate = 0.1

[checkpoint]
every = 10

[observe]
every = 10
"""


def even(name: str, nodes: int, byzantine: int, steps: int | str = "{steps}") -> str:
    """A configuration of as many servers as workers, as text; its steps may be left open."""
    return _EVEN.format(name=name, nodes=nodes, byzantine=byzantine, steps=steps)


def newest_step(log: Path) -> int:
    """That a server has written down."""
    steps = [event["step"] for event in read_events(log) if event["event"] == "commit"]
    return max((step for step in steps if isinstance(step, int)), default=0)
