"""Momentum at the workers: each sends an average of the gradients that it has computed.

m <- beta m + (1 - beta) g, from m = 0 (Karimireddy, He and Jaggi, ICML 2021). El Mhamdi, Guerraoui
and Rouault (ICLR 2021) add the whole of g, which is the same at (1 - beta) times the learning
rate. This form keeps the length of a gradient: rates mean what they do without momentum, and an
average goes on to be one when beta changes between two lives of a run.

The average of many steps varies less than a gradient, so that honest workers agree more, and an
attacker has less room among them. It is saved like parameters are, and outlives a restart.
"""

from collections import deque
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np

from guanyu_mpi.checkpoint import Writers
from guanyu_mpi.checkpoint.momentum import Begun, MomentumStore
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config, run_identity
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.journal import Journal
from guanyu_mpi.messages import Vector
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.saves import Saves, Start

# (step, gradient (d,)) -> what is sent, (d,).
Sent: TypeAlias = Callable[[int, Vector], Vector]


def averaged(momentum: Vector, gradient: Vector, beta: float) -> Vector:
    """beta * momentum + (1 - beta) * gradient, shape (d,).

    >>> averaged(np.float32([8, 0]), np.float32([0, 4]), 0.75).tolist()
    [6.0, 1.0]
    """
    result = beta * momentum
    result += (1 - beta) * gradient
    return result


class Momentum:
    """One worker's average, in this life of a run; `save` writes what it is before a step."""

    def __init__(
        self, config: Config, first_step: int, begun: Vector, save: Callable[[int, Vector], None]
    ) -> None:
        self._config = config
        self._save = save
        self._step, self._vector = first_step, begun
        # What it had by the last two steps at which servers agree, for they may have come to the
        # first alone; what is saved is not kept.
        self._unsaved: deque[tuple[int, Vector]] = deque(maxlen=2)
        # The newest step of which it is kept or saved.
        self._kept = first_step

    def sent(self, step: int, gradient: Vector) -> Vector:
        """What to send instead of the gradient of a step, which is later than any before."""
        before, had = self._step, self._vector
        contractions = self._config.contractions
        self._step, self._vector = step + 1, averaged(had, gradient, self._config.train.momentum)
        if contractions.next(before) < step:
            self._keep(before, had)
        due = self._is_due(before)
        if due or contractions.at(step):
            self._keep(self._step, self._vector)
        if due:
            # Before it is sent: of a step that servers have saved, workers have saved theirs.
            self._save(*self._unsaved.pop())
        return self._vector

    def leave(self) -> None:
        """Save what a life begins with that goes on where this one is left."""
        # The others may have gone on without it to the next step at which they agree.
        newest = [(self._step, self._vector)] if self._step != self._kept else []
        for step, vector in [*self._unsaved, *newest]:
            self._save(step, vector)

    def _keep(self, step: int, vector: Vector) -> None:
        if step != self._kept:
            self._kept = step
            self._unsaved.append((step, vector))

    def _is_due(self, before: int) -> bool:
        # Who skips steps may never meet a due one: then it is the first after it.
        every = self._config.checkpoint.every
        return self._step // every > before // every or self._step == self._config.run.steps


class Momenta:
    """The momenta of a run's workers in this life; off, each sends the gradients themselves."""

    def __init__(self, config: Config, saves: Saves, dimension: int, run_dir: Path | None) -> None:
        self._config = config
        self._saves = saves
        self._dimension = dimension
        self._root = checkpoint_dir(run_dir) if run_dir and config.train.momentum else None
        self._stores: dict[Node, MomentumStore] = {}
        self._begun: dict[Node, Begun] = {}
        self._momenta: dict[Node, Momentum] = {}

    def start(self, node: Node) -> Start | None:
        """What a worker has saved and goes on with; None if it begins with zeros, or has none.

        Raises CheckpointError or ConfigError. The disk is read once, whatever is asked later.
        """
        if self._root is None or node.role is not Role.WORKER:
            return None
        if node not in self._begun:
            self._stores[node] = self._store(node, self._root)
            self._begun[node] = self._stores[node].resume(self._first_step)
        begun = self._begun[node]
        if begun.step is None or begun.vector is None:
            return None
        return Start(begun.step, begun.vector, (node.index,))

    def sender(self, node: Node, journal: Journal) -> Sent:
        """What makes a worker's message of a gradient."""
        if not self._config.train.momentum or node.role is not Role.WORKER:
            return lambda _, gradient: gradient
        start = self.start(node)
        if self._first_step != (start.step if start else 0):
            reasons = [str(fault) for fault in self._begun[node].faults]
            journal.momentum(self._first_step, start.step if start else None, reasons)
        self._rewind(node, journal)
        begun = start.params if start else np.zeros(self._dimension, np.float32)
        self._momenta[node] = Momentum(
            self._config, self._first_step, begun, self._saver(node, journal)
        )
        return self._momenta[node].sent

    def leave(self, node: Node) -> None:
        """Save a worker's, if it has one, because the run is left before its last step."""
        if node in self._momenta:
            self._momenta[node].leave()

    @cached_property
    def _first_step(self) -> int:
        """The step that this life of the run begins at, by the same rule as servers find it."""
        return (self._saves.plan().step or 0) if self._root else 0

    def _rewind(self, node: Node, journal: Journal) -> None:
        """Set aside what an earlier life has left: all ranks have what they need by now."""
        if node not in self._stores:
            return
        try:
            self._stores[node].rewind()
        except CheckpointError as error:
            journal.not_saved(self._first_step, str(error))

    def _saver(self, node: Node, journal: Journal) -> Callable[[int, Vector], None]:
        def save(step: int, momentum: Vector) -> None:
            if node not in self._stores:
                return
            try:
                self._stores[node].write(step, momentum)
            except CheckpointError as error:
                # A restart then goes on with an older one.
                journal.not_saved(step, str(error))

        return save

    def _store(self, node: Node, root: Path) -> MomentumStore:
        return MomentumStore(
            root,
            node.index,
            dimension=self._dimension,
            identity=run_identity(self._config),
            keep=self._config.checkpoint.keep,
            writers=Writers.of(self._config.nodes),
        )
