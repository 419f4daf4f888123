"""Looks after a rank while it runs: writes what it does, and says when it waits in vain.

SIGUSR2 asks a rank for its state-file at once, and for the stacks of its threads beside it; these
come even from one that hangs. Nothing else changes for who is asked.
"""

import faulthandler
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Protocol

from guanyu_mpi.cluster import OBSERVER, Cluster, Node, Role
from guanyu_mpi.stall import BEATS, Awake, Patience
from guanyu_mpi.state import missing, stack_path, state_of, write_state
from guanyu_mpi.transport.participant import Participant
from guanyu_mpi.transport.traffic import Traffic

# Looking takes longer than a turn of a node's loop.
LOOK_EVERY_S = 0.1


class Asked:
    """Whether somebody has asked this process; a handler only makes a note of it."""

    def __init__(self) -> None:
        self._asked = False

    def listen(self) -> None:
        """Take SIGUSR2, which would end the process; again after libraries that may take it."""
        signal.signal(signal.SIGUSR2, self._note)

    def tell_stacks(self, path: Path) -> None:
        """From now on write stacks too, each time; raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # Open as long as the process lives: it is written to from within a signal.
        stacks = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        faulthandler.register(signal.SIGUSR2, stacks, all_threads=True, chain=True)

    def taken(self) -> bool:
        """Whether somebody has, since this was called last."""
        asked, self._asked = self._asked, False
        return asked

    def _note(self, _: int, __: FrameType | None) -> None:
        self._asked = True


class Network(Protocol):
    """What is known of a node's links."""

    @property
    def traffic(self) -> Traffic:
        """Who is there, and what is on its way."""


class Watch:
    """One rank, its state-file, and its patience."""

    def __init__(
        self,
        node: Node,
        cluster: Cluster,
        participant: Participant,
        network: Network,
        *,
        run_dir: Path,
        asked: Asked,
        timeout_s: float,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._cluster = cluster
        self._participant = participant
        self._network = network
        self._run_dir = run_dir
        self._asked = asked
        self._timeout_s = timeout_s
        self._clock_s = Awake(clock_s)
        self._patience = Patience(timeout_s, self._clock_s)
        self._look_s = self._beat_s = self._clock_s()
        self._answers = 0
        self._saves = False

    def begin(self) -> None:
        """Say for the first time what the rank does, and listen; raises OSError."""
        self._asked.tell_stacks(stack_path(self._run_dir, self._cluster.rank(self._node)))
        self.write()

    def answer(self) -> None:
        """Write the state if somebody has asked for it."""
        if self._asked.taken():
            self._answers += 1
            self.write()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Within, the rank is said to save."""
        self._saves = True
        self.write()
        yield
        self._saves = False

    def look(self) -> str:
        """Do what is due, in every turn of the loop; why the rank waits in vain, or nothing."""
        self.answer()
        now_s = self._clock_s()
        if now_s < self._look_s:
            return ""
        self._look_s = now_s + LOOK_EVERY_S
        if now_s >= self._beat_s:
            self._beat_s = now_s + self._timeout_s / BEATS
            self.write()
        waits = self._participant.waits_for
        seen = now_s if self._may_hear_nothing() else (self._participant.step, waits)
        if not self._patience.look(seen):
            return ""
        wants = "; ".join(str(missing(wait, self._cluster)) for wait in waits[:1])
        return f"no progress for {self._timeout_s:g} s: waits for {wants}"

    def write(self) -> None:
        """Write the state-file; if that fails, the rank has better things to do."""
        state = state_of(
            self._node,
            self._cluster,
            self._participant,
            self._network.traffic,
            still_s=self._patience.still_s,
            answers=self._answers,
            saves=self._saves,
        )
        with suppress(OSError):
            write_state(self._run_dir, state)

    def _may_hear_nothing(self) -> bool:
        """Whether this is the observer, who is told of few steps, while a quorum is there."""
        if self._node != OBSERVER:
            return False
        traffic = self._network.traffic
        absent = {*traffic.gone, *traffic.left}
        present = sum(node not in absent for node in self._cluster.nodes(Role.SERVER))
        return present >= self._cluster.server_quorum
