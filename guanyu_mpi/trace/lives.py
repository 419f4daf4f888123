"""The lives of a run: each has its number, its configuration, and a segment in every rank's trace.

trace/life-0002.toml    the configuration of the second life, as resolved
trace/rank-007.h5       what rank 7 recorded in all its lives
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from guanyu_mpi import __version__
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config, config_toml, load_config
from guanyu_mpi.messages import Gradient, Message, Params, Update
from guanyu_mpi.protocol.effects import Consumed
from guanyu_mpi.saves import Start
from guanyu_mpi.trace.reader import TraceError, read_segments
from guanyu_mpi.trace.record import Layout
from guanyu_mpi.trace.writer import Header, TraceFile, Written, params_digest

_LIFE = re.compile(r"life-([0-9]{4,9})\.toml")


def trace_dir(run_dir: Path) -> Path:
    """Where the traces of a run are."""
    return run_dir / "trace"


def trace_path(run_dir: Path, rank: int) -> Path:
    """Where a rank's trace is."""
    return trace_dir(run_dir) / f"rank-{rank:03d}.h5"


def begin_life(run_dir: Path, config: Config) -> int:
    """Give this life of the run its number, one more than the last; only one rank does this."""
    life = max(_lives(run_dir), default=0) + 1
    trace_dir(run_dir).mkdir(parents=True, exist_ok=True)
    path = trace_dir(run_dir) / f"life-{life:04d}.toml"
    beside = path.with_name(f".{path.stem}.writing")
    beside.write_text(config_toml(config), encoding="utf-8")
    beside.replace(path)
    return life


def life_configs(run_dir: Path) -> dict[int, Config]:
    """The configuration of every life, oldest first; raises ConfigError."""
    return {life: load_config(path) for life, path in sorted(_lives(run_dir).items())}


class Traces:
    """The traces of a run's nodes in this life; without a directory nothing is recorded."""

    def __init__(self, config: Config, run_dir: Path | None) -> None:
        self._config = config
        self._cluster = config.nodes
        self._run_dir = run_dir

    def begin(self) -> None:
        """Begin a life of the run, before any node is made."""
        if self._run_dir:
            begin_life(self._run_dir, self._config)

    @property
    def life(self) -> int:
        """The number of the life that has begun; 0 if nothing is recorded."""
        return max(_lives(self._run_dir), default=0) if self._run_dir else 0

    def recorder(
        self, node: Node, start: Start | None, not_traced: Callable[[str], None]
    ) -> Callable[[Consumed], None]:
        """What writes down a node's quorums; a fault is told, and ends the trace but not the run.

        `start` is where a server begins.
        """
        file: TraceFile | None = None
        try:
            file = self._open(node, start)
        except (OSError, RuntimeError, ValueError) as fault:
            not_traced(str(fault))

        def record(consumed: Consumed) -> None:
            nonlocal file
            if file is None:
                return
            try:
                file.record(consumed)
            except OSError as fault:
                # A gap would look like a quorum that never was.
                file = None
                not_traced(str(fault))

        return record

    def _open(self, node: Node, start: Start | None) -> TraceFile | None:
        if self._run_dir is None or not (lives := _lives(self._run_dir)):
            return None
        path = trace_path(self._run_dir, self._cluster.rank(node))
        header = Header(
            max(lives),
            str(node),
            start.step if start else 0,
            params_digest(start.params) if start else "",
            start.sources if start else (),
            versions(),
        )
        return TraceFile(path, header, self._room(node, header.step), _earlier(path, header.life))

    def _room(self, node: Node, first_step: int) -> dict[type[Message], tuple[Layout, int]]:
        """A node combines at most one quorum of a kind at every step."""
        cluster = self._cluster
        count = self._config.run.steps - first_step + 1
        if node.role is Role.WORKER:
            return {Params: (Layout(cluster.server_quorum), count)}
        return {
            Gradient: (Layout(cluster.worker_quorum), count),
            Update: (Layout(cluster.server_quorum), count),
        }


# Looking packages up takes milliseconds, and a simulation has many ranks.
@cache
def versions() -> str:
    """What results depend on beside the configuration and the trace."""
    libraries = [f"guanyu_mpi {__version__}"]
    for name in ("numpy", "torch"):
        with suppress(PackageNotFoundError):
            libraries.append(f"{name} {version(name)}")
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    return ", ".join([*libraries, f"OMP_NUM_THREADS {threads}"])


def _earlier(path: Path, life: int) -> list[Written]:
    """What the lives before this one have left; a file that cannot be read is set aside."""
    if not path.exists():
        return []
    try:
        segments = read_segments(path)
    except TraceError:
        path.replace(path.with_name(path.name + ".damaged"))
        return []
    if any(segment.header.life >= life for segment in segments):
        raise OSError(f"{path} already holds life {life}, which is beginning")
    return [segment.written for segment in segments]


def _lives(run_dir: Path) -> dict[int, Path]:
    """Every life that has begun, and its configuration's file."""
    files = trace_dir(run_dir).glob("life-*.toml")
    return {int(match[1]): path for path in files if (match := _LIFE.fullmatch(path.name))}
