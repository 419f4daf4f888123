"""What a rank says of itself while it runs: a state-file, for people and for who supervises it."""

import json
import os
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from pydantic import TypeAdapter

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.listing import names_in
from guanyu_mpi.messages import Gradient
from guanyu_mpi.protocol.quorum import Wait
from guanyu_mpi.transport.participant import Participant
from guanyu_mpi.transport.traffic import Traffic

COMPUTES = "computes"
WAITS = "waits"
SAVES = "saves"


@dataclass(frozen=True, slots=True)
class Missing:
    """A quorum that is waited for: who has voted for this step or a later one, and who has not."""

    kind: str
    step: int
    quorum: int
    voted: tuple[str, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        has = f"{listed(self.voted)} ({len(self.voted)} of {self.quorum})"
        return f"{self.kind}({self.step}): has {has}; missing {listed(self.missing)}"


@dataclass(frozen=True, slots=True)
class State:
    """One rank at one moment.

    `doing` is "waits", "computes", "saves" (it waits for its disk alone) or how it ended;
    `waits_for` what would each let it go on, the most likely first; `still_s` how long it has
    waited without progress. `sending`, `receiving`, `gone` and `left` are peers, `dropped` counts
    their bad frames, `replaced` messages to them that a newer one replaced, `answers` the signals
    that have been answered.
    """

    rank: int
    node: str
    pid: int
    host: str
    doing: str
    step: int
    waits_for: tuple[Missing, ...]
    still_s: float
    sending: tuple[str, ...]
    receiving: tuple[str, ...]
    gone: tuple[str, ...]
    left: tuple[str, ...]
    dropped: dict[str, int]
    replaced: int
    answers: int

    def __str__(self) -> str:
        if not self.waits_for:
            return f"{self.node} {self.doing} at step {self.step}"
        return f"{self.node} waits at step {self.step} for {self.waits_for[0]}"


_STATE = TypeAdapter(State)


def state_of(
    node: Node,
    cluster: Cluster,
    participant: Participant,
    traffic: Traffic,
    *,
    still_s: float,
    answers: int,
    saves: bool = False,
) -> State:
    """The state of a rank now; `saves` if it waits for its disk, and for nothing else."""
    dropped = Counter[str]()
    for (sender, fault), times in participant.faults.items():
        dropped[f"{sender} {fault.value}"] += times
    return State(
        rank=cluster.rank(node),
        node=str(node),
        pid=os.getpid(),
        host=socket.gethostname(),
        doing=SAVES if saves else _doing(participant),
        step=participant.step,
        waits_for=tuple(missing(wait, cluster) for wait in participant.waits_for),
        still_s=round(still_s, 3),
        sending=_names(traffic.sending),
        receiving=_names(traffic.receiving),
        gone=_names(traffic.gone),
        left=_names(traffic.left),
        dropped=dict(sorted(dropped.items())),
        replaced=traffic.replaced,
        answers=answers,
    )


def missing(wait: Wait, cluster: Cluster) -> Missing:
    """A wait by name."""
    role = Role.WORKER if wait.kind is Gradient else Role.SERVER
    absent = [node for node in cluster.nodes(role) if node not in wait.voters]
    return Missing(wait.kind.__name__, wait.step, wait.quorum, _names(wait.voters), _names(absent))


def listed(names: Sequence[str]) -> str:
    """Names of nodes in a line, the role said once: server-00, -02, worker-01."""
    words = []
    for _, group in groupby(names, key=lambda name: name.partition("-")[0]):
        first, *others = group
        words += [first, *(f"-{name.partition('-')[2]}" for name in others)]
    return ", ".join(words) or "nobody"


def state_path(run_dir: Path, rank: int) -> Path:
    """Where a rank says what it does."""
    return run_dir / "state" / f"rank-{rank:03d}.json"


def stack_path(run_dir: Path, rank: int) -> Path:
    """Where the stacks of a rank's threads are when it has been asked, even if it hangs."""
    return run_dir / "state" / f"rank-{rank:03d}.stack"


def write_state(run_dir: Path, state: State) -> None:
    """Write a rank's state-file, whole or not at all."""
    path = state_path(run_dir, state.rank)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def clear_state(run_dir: Path, rank: int) -> None:
    """Remove what this rank said in an earlier life of the run."""
    state_path(run_dir, rank).unlink(missing_ok=True)
    stack_path(run_dir, rank).unlink(missing_ok=True)


def read_states(run_dir: Path, cluster: Cluster) -> list[State]:
    """State-files of a run, by rank; one that cannot be read says nothing."""
    found = []
    there = names_in(state_path(run_dir, 0).parent)
    for rank, node in enumerate(cluster):
        path = state_path(run_dir, rank)
        if path.name not in there:
            continue
        try:
            state = _STATE.validate_json(path.read_bytes())
        except (OSError, ValueError):
            continue
        # Each rank speaks for itself alone.
        if (state.rank, state.node) == (rank, str(node)):
            found.append(state)
    return found


def _doing(participant: Participant) -> str:
    if participant.halt:
        return participant.halt.outcome.value
    return COMPUTES if participant.busy else WAITS


def _names(nodes: Iterable[Node]) -> tuple[str, ...]:
    return tuple(str(node) for node in sorted(nodes))
