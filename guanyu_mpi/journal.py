"""What a node writes of itself while it runs: one log per rank, and the observer's."""

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

from guanyu_mpi.account import Usage
from guanyu_mpi.cluster import Node
from guanyu_mpi.episode import Stretch
from guanyu_mpi.errors import Fault
from guanyu_mpi.faults.kinds import Injection
from guanyu_mpi.metrics import Event, EventLog, Value, read_events
from guanyu_mpi.monitor import Measured
from guanyu_mpi.observer import Observation
from guanyu_mpi.protocol.effects import Commit, Halt

STRETCH_FIELDS = tuple(field.name for field in fields(Stretch))


def observer_log(run_dir: Path) -> Path:
    """Where the observer writes."""
    return run_dir / "metrics" / "observer.jsonl"


def rank_log(run_dir: Path, rank: int) -> Path:
    """Where any other rank writes."""
    return run_dir / "metrics" / f"rank-{rank:03d}.jsonl"


class Journal:
    """Events of one node; without a file they are dropped. Steps are told every `every`-th.

    With each step that is told goes what the node has used until then, where that is known. While
    the file cannot be written the events are lost, which is said aloud once, and training goes on.
    """

    def __init__(
        self,
        path: Path | None,
        node: Node,
        clock_s: Callable[[], float],
        every: int,
        usage: Callable[[], Usage] | None = None,
        *,
        life: int = 0,
    ) -> None:
        self._log = EventLog(path) if path else None
        self._node = node
        self._clock_s = clock_s
        self._every = every
        self._usage = usage
        # Which life of the run this is; 0 if that is not known.
        self._life = life
        self._last_step: int | None = None
        self._path = path
        self._is_lost = False

    def started(self) -> None:
        """The process is there."""
        self._record("started", pid=os.getpid(), host=socket.gethostname())

    def restored(self, step: int, sources: Sequence[int], faults: list[str]) -> None:
        """A server goes on at a step; said aloud if not with what it had saved itself."""
        if list(sources) != [self._node.index]:
            servers = ", ".join(map(str, sources))
            sys.stderr.write(f"{self._node}: begins step {step} as the median of {servers}\n")
        self._record("restored", step=step, sources=[*map(str, sources)], faults=faults)

    def gradient(self, step: int, loss: float) -> None:
        """A worker has computed a gradient on a batch of this loss."""
        if self._due(step):
            self._record("gradient", step=step, loss=loss, **self._used())

    def commit(self, commit: Commit) -> None:
        """A server has finished a step, with whom."""
        if self._due(commit.step):
            self._record(
                "commit",
                step=commit.step,
                gradients=[str(node) for node in commit.gradients],
                updates=[str(node) for node in commit.updates],
                **self._used(),
            )

    def rejected(self, sender: Node, fault: Fault, times: int) -> None:
        """A peer has sent a bad frame; told the first time, the second, the fourth, ..."""
        if times & (times - 1) == 0:
            self._record("rejected", sender=str(sender), fault=fault.value, times=times)

    def saved(self, step: int) -> None:
        """A checkpoint is on the disk."""
        self._record("saved", step=step)

    def not_saved(self, step: int, reason: str) -> None:
        """A checkpoint could not be written; also said aloud, because somebody should act."""
        sys.stderr.write(f"{self._node}: checkpoint of step {step} not saved: {reason}\n")
        self._record("not-saved", step=step, reason=reason)

    def momentum(self, step: int, saved: int | None, faults: list[str]) -> None:
        """A worker begins at a step with the momentum of an earlier one, or with none."""
        since = "nothing" if saved is None else f"step {saved}"
        self._record("momentum", step=step, since=since, faults=faults)

    def struck(self, injection: Injection, unfinished: int) -> None:
        """A fault strikes now, while so many injected frames are still on their way."""
        self._record("fault", kind=injection.kind, step=injection.step, unfinished=unfinished)

    def has_suffered(self, injection: Injection) -> bool:
        """Whether this fault has struck the node already, in an earlier life of the run."""
        mark = ("fault", injection.kind, injection.step)
        events = read_events(self._path) if self._path else []
        return mark in [tuple(map(event.get, ("event", "kind", "step"))) for event in events]

    def not_traced(self, reason: str) -> None:
        """From here on the node's quorums are not written down; also said aloud."""
        sys.stderr.write(f"{self._node}: the trace ends: {reason}\n")
        self._record("not-traced", reason=reason)

    def halted(self, halt: Halt) -> None:
        """The node's part is over."""
        fields = {"step": halt.step, "outcome": halt.outcome.value, "reason": halt.reason}
        self._record("halted", **fields, **self._used())

    def observed(self, observation: Observation) -> None:
        """The observer has evaluated a step."""
        if self._log:
            fields = asdict(replace(observation, measured=None, suspected={}, far={}))
            fields["quorum"] = [str(node) for node in observation.quorum]
            fields["far"] = _by_name(observation.far)
            del fields["measured"], fields["suspected"]
            fields["life"] = self._life
            for optional in ("warning", "far", "life"):
                if not fields[optional]:
                    del fields[optional]
            suspected = _suspected(observation.suspected)
            figures = _figures(observation.measured)
            self._write({**fields, **figures, **suspected, **self._used()})

    def warned(self, warning: str) -> None:
        """What the theory assumes does not hold; said aloud, and part of the next observation."""
        sys.stderr.write(f"warning: {warning}\n")

    def _due(self, step: int) -> bool:
        """Whether a step is an `every`-th, or the first after some that were skipped."""
        last, self._last_step = self._last_step, step
        # Who falls behind and jumps may never meet one, and must not seem silent.
        skipped = last is not None and step // self._every > last // self._every
        return skipped or step % self._every == 0

    def _used(self) -> dict[str, Value]:
        return asdict(self._usage()) if self._usage else {}

    def _record(self, event: str, **fields: Value) -> None:
        self._write({"event": event, "node": str(self._node), "time_s": self._clock_s(), **fields})

    def _write(self, event: Event) -> None:
        if self._log is None:
            return
        try:
            self._log.record(**event)
        except OSError as error:
            if not self._is_lost:
                sys.stderr.write(f"{self._node}: {self._path} cannot be written: {error}\n")
            self._is_lost = True
        else:
            self._is_lost = False


def _figures(measured: Measured | None) -> dict[str, Value]:
    """What was measured as fields of an observation, workers by name."""
    if measured is None:
        return {}
    figures = asdict(replace(measured, selected={}, rank={}, strayed={}, suspected={}))
    del figures["suspected"]
    return {
        **figures,
        "selected": _by_name(measured.selected),
        "rank": _by_name(measured.rank),
        "strayed": _by_name(measured.strayed),
    }


def _by_name(figures: Mapping[Node, float]) -> dict[str, float]:
    return {str(node): figure for node, figure in figures.items()}


def _suspected(suspected: Mapping[Node, Stretch]) -> dict[str, Value]:
    """Who is suspected as fields of an observation, each by the names of nodes; none if nobody."""
    if not suspected:
        return {}
    return {
        f"suspected_{name}": {
            str(node): getattr(stretch, name) for node, stretch in suspected.items()
        }
        for name in STRETCH_FIELDS
    }
