"""What the servers of a run save, and where they begin."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from guanyu_mpi.aggregation import bind
from guanyu_mpi.checkpoint import (
    FileError,
    Plan,
    Restored,
    Store,
    Survey,
    accept_fewer,
    begin,
    plan,
    restore,
    resume,
    scan,
    survey,
)
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config, run_identity
from guanyu_mpi.errors import CheckpointError, ConfigError
from guanyu_mpi.messages import Vector
from guanyu_mpi.models import ModelSpec
from guanyu_mpi.run_dir import checkpoint_dir


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where a server begins: the step, theta_step, shape (d,), and whose checkpoints that is of.

    Its own, or the median of several; nobody's if it is the model's initial one. `faults` are
    what was wrong with the files that were read on the way.
    """

    step: int
    params: Vector
    sources: tuple[int, ...] = ()
    faults: tuple[FileError, ...] = ()


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
        self._restored: dict[Node, Restored | None] = {}

    def start(self, node: Node) -> Start:
        """Where a server begins: at its checkpoint, or with the initial parameters.

        Raises CheckpointError or ConfigError. The disk is read once, whatever is asked later.
        """
        if node not in self._starts:
            store = self.store(node)
            restored = resume(store, median) if store else None
            self._restored[node] = restored
            self._starts[node] = (
                Start(restored.step, restored.params, _sources(node, restored), restored.faults)
                if restored
                else Start(0, self._spec.initial_params())
            )
            self._check_length(self._starts[node].step)
        return self._starts[node]

    def begin(self, node: Node) -> None:
        """Make a server's files agree with its start.

        Once all ranks have theirs: nothing is changed while another still reads, or may refuse.
        """
        if store := self.store(node):
            begin(store, self._restored[node])

    def median_model(self, step: int | None = None) -> Start:
        """The step that a restart takes, or this one, and the median of the servers' params."""
        restored = self._root and restore(
            self._root,
            None,
            self._cluster,
            dimension=self._spec.dimension,
            identity=self._identity,
            contraction=median,
            step=step,
        )
        if not restored:
            raise CheckpointError(f"{self._root} holds no checkpoint of this run{self._but(step)}")
        return Start(restored.step, restored.params)

    def plan(self) -> Plan:
        """What a restart would do; raises CheckpointError or ConfigError if it would refuse."""
        if self._root is None:
            raise CheckpointError("a run without a directory has no checkpoints")
        found = plan(self._root, self._cluster, median, self._spec.dimension, self._identity)
        self._check_length(found.step or 0)
        return found

    def accept_fewer(self) -> str:
        """Have a restart take what too few servers hold; a warning, or nothing if there is none.

        Before any server of the run starts.
        """
        nodes = self._cluster.nodes(Role.SERVER)
        stores = [store for node in nodes if (store := self.store(node))]
        accepted = accept_fewer(stores, median) if stores else None
        return accepted.doubt if accepted else ""

    def survey(self) -> Survey:
        """Every file, and what a restart would do."""
        if self._root is None:
            raise CheckpointError("a run without a directory has no checkpoints")
        return survey(self._root, self._cluster, median, self._spec.dimension, self._identity)

    def _but(self, step: int | None) -> str:
        """What there is in place of a step that there is not."""
        held = scan(self._root) if self._root else {}
        steps = sorted({held for steps in held.values() for held in steps}, reverse=True)
        if step is None or not steps:
            return " yet"
        return f" at step {step}: there are {', '.join(map(str, steps))}"

    def _check_length(self, step: int) -> None:
        if step > self._config.run.steps:
            raise ConfigError(
                f"run.steps = {self._config.run.steps} is before step {step}, which the "
                f"checkpoints in {self._root} have reached: raise it, or choose another "
                "--run-dir"
            )

    def store(self, node: Node) -> Store | None:
        """Where a server's checkpoints are; None without a directory."""
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
                keep_every=self._config.checkpoint.keep_every,
            )
        return self._stores[node]


def _sources(node: Node, restored: Restored | None) -> tuple[int, ...]:
    if restored is None:
        return ()
    return (node.index,) if restored.own else restored.election.holders


def median(vectors: npt.NDArray[np.float32]) -> Vector:
    """Coordinate-wise median of any number of checkpoints, (n, d) -> (d,)."""
    return bind("median", n=len(vectors), f=0)(vectors)
