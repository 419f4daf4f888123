"""What a benchmark of a step runs: who trains, on what, and which of its steps count."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from guanyu_mpi.bench.images import IMAGES
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.errors import ConfigError, unknown
from guanyu_mpi.models import MODELS, ModelSpec, describe

TARGET_BATCHES = (32, 128)
# Where targets are set.
TARGET_MODEL, TARGET_SERVERS, TARGET_WORKERS = "cnnet", 6, 18
# With f = 0, by the bounds of GuanYu.
NODES_MIN = 3
# Stretches of steps between two that are told: one to settle, and those that count.
STRETCHES = 4
# Steps after those that count, in which nobody leaves yet.
TAIL = 2
SEED = 1
LEARNING_RATE = 0.01


class Contender(StrEnum):
    """Who trains, in turns."""

    # One server that averages, and nobody who is tolerated.
    PLAIN = "plain"
    # As many declared as the bounds allow, and nobody who attacks.
    GUANYU = "guanyu"
    # As many as are declared attack.
    ATTACKED = "attacked"
    # torch's DistributedDataParallel over gloo: no server, and as many workers.
    DDP = "ddp"


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The cluster, the model, the batches, and how long each run is; all so many times over."""

    model: str
    servers: int
    workers: int
    batch_sizes: tuple[int, ...]
    updates: int
    rounds: int

    @property
    def told_every(self) -> int:
        """Steps between two that ranks tell of."""
        return self.updates // STRETCHES

    @property
    def first(self) -> int:
        """The step at which measuring begins."""
        return self.told_every

    @property
    def last(self) -> int:
        """The step at which it ends."""
        return self.first + STRETCHES * self.told_every

    @property
    def steps(self) -> int:
        """Steps of a run."""
        return self.last + TAIL

    @property
    def byzantine_servers(self) -> int:
        """As many as servers can tolerate."""
        return tolerated(self.servers)

    @property
    def byzantine_workers(self) -> int:
        """As many as workers can tolerate."""
        return tolerated(self.workers)

    @property
    def server_quorum(self) -> int:
        """How many servers GuanYu waits for."""
        return config(self, Contender.GUANYU, self.batch_sizes[0]).nodes.server_quorum

    @property
    def spec(self) -> ModelSpec:
        """What is known of the model."""
        return describe(self.model, {}, SEED)

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Everybody; but torch knows nothing of a model that is its own data."""
        known = self.spec.needs_data
        return tuple(each for each in Contender if each is not Contender.DDP or known)

    @property
    def ours(self) -> tuple[Contender, ...]:
        """Those that train by this package."""
        return tuple(each for each in Contender if each is not Contender.DDP)


def tolerated(nodes: int) -> int:
    """The largest f with nodes >= 3f + 3.

    >>> tolerated(18), tolerated(6), tolerated(1)
    (5, 1, 0)
    """
    return max(0, nodes // 3 - 1)


def planned_steps(
    *, model: str, servers: int, workers: int, batches: Sequence[int], updates: int, rounds: int
) -> StepPlan:
    """The plan that a command line asks for; without batches, the usual ones."""
    faults = [unknown("model", model, MODELS)] if model not in MODELS else []
    faults += [f"--batch {size}: needs at least 1" for size in batches if size < 1]
    for option, value, least in (
        ("--servers", servers, NODES_MIN),
        ("--workers", workers, NODES_MIN),
        ("--updates", updates, STRETCHES),
        ("--rounds", rounds, 1),
    ):
        if value < least:
            faults.append(f"{option} {value}: needs at least {least}")
    if faults:
        raise ConfigError(*faults)
    if not describe(model, {}, SEED).needs_data:
        if batches:
            raise ConfigError(f"--batch {batches[0]}: model {model!r} has no data, and no batches")
        batches = (1,)
    sizes = tuple(sorted(set(batches or TARGET_BATCHES)))
    return StepPlan(model, servers, workers, sizes, updates, rounds)


def config(plan: StepPlan, contender: Contender, batch_size: int) -> Config:
    """The run of a contender; of those that are ours."""
    plain, attacked = contender is Contender.PLAIN, contender is Contender.ATTACKED
    f, f_workers = (0, 0) if plain else (plan.byzantine_servers, plan.byzantine_workers)
    raw: dict[str, object] = {
        "run": {"name": f"step-{contender}", "steps": plan.steps, "seed": SEED},
        "cluster": {
            "servers": 1 if plain else plan.servers,
            "byzantine_servers": f,
            "workers": plan.workers,
            "byzantine_workers": f_workers,
        },
        "model": {"name": plan.model},
        "train": {"learning_rate": LEARNING_RATE},
        "aggregation": {"gradients": "average" if plain else "multi-krum"},
        "attack": {
            "servers": {"name": "reverse", "count": f if attacked else 0},
            "workers": {"name": "reverse", "count": f_workers if attacked else 0},
        },
        "checkpoint": {"every": plan.steps},
        "observe": {"every": plan.told_every},
    }
    if plan.spec.needs_data:
        raw["train"] = {"learning_rate": LEARNING_RATE, "batch_size": batch_size}
        raw["data"] = {"name": IMAGES, "options": {"shape": list(plan.spec.image_shape or ())}}
    return parse_config(raw)
