"""A run as its directory tells it, in bounded memory, without its data, its model or torch."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config
from guanyu_mpi.errors import GuanYuError
from guanyu_mpi.excerpt import excerpt
from guanyu_mpi.journal import observer_log, rank_log
from guanyu_mpi.metrics import Event
from guanyu_mpi.report.heat import Row
from guanyu_mpi.report.history import History, history
from guanyu_mpi.report.membership import attendance, membership_rows, stretches, suspicion_rows
from guanyu_mpi.run_dir import config_path
from guanyu_mpi.standing import Standing, standings
from guanyu_mpi.suspicion import Suspicion, suspicions

CONFIG_BYTES_MAX = 1 << 20
OBSERVER_BYTES_MAX = 16 << 20
# Of all ranks' logs together, and of one.
RANKS_BYTES_MAX, RANK_BYTES_MAX = 256 << 20, 2 << 20
# Of more ranks the page shows what the observer saw, and nothing of single ranks.
RANKS_MAX = 2048


class UnreadableError(GuanYuError):
    """There is nothing to show: which run, and why."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is shown of a run; `virtual` if its time is a simulator's."""

    name: str
    path: Path
    config: Config
    seen: History
    virtual: bool
    present: tuple[Row, ...]
    apart: tuple[Row, ...]
    standings: tuple[Standing, ...]
    suspicions: tuple[Suspicion, ...]

    @property
    def last_step(self) -> int:
        """How far the observer has seen it come."""
        return self.seen.looks[-1].step

    @property
    def time(self) -> str:
        """What kind of time it has taken."""
        return "virtual" if self.virtual else "elapsed"

    @property
    def unfinished(self) -> str:
        """How far it has come, if that is not the end."""
        steps = self.config.run.steps
        return (
            "" if self.last_step >= steps else f"observed up to step {self.last_step} of {steps}"
        )


def read_run(path: Path, name: str) -> Run:
    """The run in a directory; raises UnreadableError."""
    config = read_config(path)
    seen = history(excerpt(observer_log(path), OBSERVER_BYTES_MAX))
    if not seen.looks:
        raise UnreadableError(_unobserved(path))
    cluster, steps = config.nodes, stretches(seen)
    if cluster.num_ranks > RANKS_MAX:
        return Run(name, path, config, seen, False, (), (), (), ())
    read = partial(
        excerpt, whole_bytes_max=min(RANK_BYTES_MAX, RANKS_BYTES_MAX // cluster.num_ranks)
    )
    written, processes = [], []
    # A worker is looked at for a server that is alone.
    for node in (*cluster.nodes(Role.SERVER), Node(Role.WORKER, 0)):
        events = read(rank_log(path, cluster.rank(node)))
        processes.append(_processes(events))
        if node.role is Role.SERVER:
            written.append((node, attendance(events, cluster, steps)))
    found = standings(cluster, path, read)
    suspected = suspicions(found, cluster)
    strange = _nodes(suspected)
    return Run(
        name=name,
        path=path,
        config=config,
        seen=seen,
        virtual=_is_simulated(processes),
        present=tuple(membership_rows(written, cluster, steps, strange)),
        apart=tuple(suspicion_rows(seen, cluster, steps, strange)),
        standings=tuple(found),
        suspicions=tuple(suspected),
    )


def read_config(path: Path) -> Config:
    """The configuration of a run, whatever has become of its data and its model since."""
    place = config_path(path)
    try:
        with place.open("rb") as file:
            content = file.read(CONFIG_BYTES_MAX + 1)
        if len(content) > CONFIG_BYTES_MAX:
            raise UnreadableError(f"{place}: is larger than {CONFIG_BYTES_MAX} bytes")
        config = Config.model_validate(tomllib.loads(content.decode("utf-8")))
    except FileNotFoundError as error:
        why = "is not the directory of a run: it has no config.toml"
        raise UnreadableError(f"{path}: {why}" if path.exists() else f"{path}: {_GONE}") from error
    except OSError as error:
        raise UnreadableError(f"{place}: {error.strerror}") from error
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors()[:3])
        raise UnreadableError(f"{place}: is not of this version, or damaged: {keys}") from error
    # A number with thousands of digits, or thousands of brackets, as well.
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{place}: is damaged") from error
    if faults := config.nodes.faults():
        raise UnreadableError(f"{place}: {faults[0]}")
    return config


_GONE = "there is no such directory"


def _unobserved(path: Path) -> str:
    """Why there is no observation of a run: none is written yet, or none can be read."""
    log = observer_log(path)
    try:
        is_empty = log.stat().st_size == 0
    except FileNotFoundError:
        is_empty = True
    except OSError as error:
        return f"{log}: {error.strerror}"
    if is_empty:
        return f"{path}: its observer has written nothing yet"
    return f"{log}: is damaged: there is no observation in it"


def _processes(events: Iterable[Event]) -> set[str]:
    """Who has written a log: a process in each life of the run."""
    return {f"{event.get('host')} {event['pid']}" for event in events if "pid" in event}


def _is_simulated(processes: Iterable[set[str]]) -> bool:
    """Whether one process was all of the nodes; a log that names none is no evidence."""
    told = [found for found in processes if found]
    return len(told) > 1 and bool(set.intersection(*told))


def _nodes(suspected: Sequence[Suspicion]) -> list[Node]:
    return [suspicion.node for suspicion in suspected]
