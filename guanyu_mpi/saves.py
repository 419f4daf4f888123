"""What the servers of a run save, and where they begin."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from guanyu_mpi.aggregation import bind
from guanyu_mpi.checkpoint import Restored, Store, Survey, restore, resume, survey
from guanyu_mpi.cluster import Node
from guanyu_mpi.config import Config, run_identity
from guanyu_mpi.errors import CheckpointError, ConfigError
from guanyu_mpi.messages import Vector
from guanyu_mpi.models import ModelSpec
from guanyu_mpi.protocol.effects import Commit
from guanyu_mpi.run_dir import checkpoint_dir


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where a server begins: the step, theta_step, shape (d,), and whose checkpoints that is of.

    Its own, or the median of several; nobody's if it is the model's initial one.
    """

    step: int
    params: Vector
    sources: tuple[int, ...] = ()


class Saves:
    """The checkpoints of a run; without a directory nothing is saved, and all begins at step 0."""

    def __init__(self, config: Config, spec: ModelSpec, run_dir: Path | None) -> None:
        self._config = config
        self._cluster = config.nodes
        self._spec = spec
        self._root = checkpoint_dir(run_dir) if run_dir else None
        self._identity = run_identity(config)
        self._stores: dict[Node, Store] = {}
        self._starts: dict[Node, Start] = {}

    def start(self, node: Node) -> Start:
        """Where a server begins: at its checkpoint, or with the initial parameters.

        Raises CheckpointError or ConfigError. The disk is read once, whatever is asked later.
        """
        if node not in self._starts:
            store = self._store(node)
            restored = resume(store, median) if store else None
            step, params = (
                (restored.step, restored.params) if restored else (0, self._spec.initial_params())
            )
            if step > self._config.run.steps:
                raise ConfigError(
                    f"run.steps = {self._config.run.steps} is before step {step}, which the "
                    f"checkpoints in {self._root} have reached: raise it, or choose another "
                    "--run-dir"
                )
            self._starts[node] = Start(step, params, _sources(node, restored))
        return self._starts[node]

    def save(self, node: Node, commit: Commit) -> None:
        """Write a server's checkpoint of a step, if it is due."""
        store = self._store(node)
        last = commit.step == self._config.run.steps
        if store and (last or commit.step % self._config.checkpoint.every == 0):
            store.write(commit.step, commit.params)

    def median_model(self) -> Start:
        """The step that a restart takes, and the median of the servers' parameters there."""
        restored = self._root and restore(
            self._root,
            None,
            self._cluster,
            dimension=self._spec.dimension,
            identity=self._identity,
            contraction=median,
        )
        if not restored:
            raise CheckpointError(f"{self._root} holds no checkpoint of this run yet")
        return Start(restored.step, restored.params)

    def survey(self) -> Survey:
        """Every file, and what a restart would do."""
        if self._root is None:
            raise CheckpointError("a run without a directory has no checkpoints")
        return survey(self._root, self._cluster, self._spec.dimension, self._identity)

    def _store(self, node: Node) -> Store | None:
        if self._root is None:
            return None
        if node not in self._stores:
            self._stores[node] = Store(
                self._root,
                node.index,
                self._cluster,
                dimension=self._spec.dimension,
                identity=self._identity,
                keep=self._config.checkpoint.keep,
            )
        return self._stores[node]


def _sources(node: Node, restored: Restored | None) -> tuple[int, ...]:
    if restored is None:
        return ()
    return (node.index,) if restored.own else restored.election.holders


def median(vectors: npt.NDArray[np.float32]) -> Vector:
    """Coordinate-wise median of any number of checkpoints, (n, d) -> (d,)."""
    return bind("median", n=len(vectors), f=0)(vectors)
