"""What a benchmark of a step runs: who trains, on what, and which of its steps count."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
# How many times as long who is slow takes for a gradient, and when that begins and others are
# killed: once they have done a step.
SLOW_TIMES = 10
STRUCK_AT = 1
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
    # GuanYu that f servers are lost to, by SIGKILL, and f' workers of which are slow.
    STRUCK = "struck"
    # Those alone who are well there: a smaller cluster with the same quorums, and no faults.
    ALONE = "left alone"
    # DDP with as many slow processes, none of which is dead: that would be the end of it.
    SLOW_DDP = "slow ddp"


OF_TORCH = (Contender.DDP, Contender.SLOW_DDP)
OF_LOSSES = (Contender.STRUCK, Contender.ALONE, Contender.SLOW_DDP)


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The cluster, the model, the batches, and how long each run is; all so many times over.

    `outlives` if MPI lets the others go on when a rank dies.
    """

    model: str
    servers: int
    workers: int
    batch_sizes: tuple[int, ...]
    updates: int
    rounds: int
    outlives: bool = True

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
    def loss_batch(self) -> int:
        """The one batch size with which losses are measured."""
        return min(self.batch_sizes)

    def contenders(self, batch_size: int) -> tuple[Contender, ...]:
        """Everybody; but torch knows nothing of a model that is its own data.

        Losses are measured where each role has somebody to lose.
        """
        known = self.spec.needs_data
        lose = self.outlives and self.byzantine_servers > 0 and self.byzantine_workers > 0
        lose = lose and batch_size == self.loss_batch
        return tuple(
            each
            for each in Contender
            if (known or each not in OF_TORCH) and (lose or each not in OF_LOSSES)
        )

    def fitted(self, contender: Contender) -> "StepPlan":
        """The plan of a contender's runs, which for losses are of another length."""
        if contender is Contender.SLOW_DDP:
            # All go at the pace of the slow, step by step.
            return replace(self, updates=STRETCHES)
        if contender in OF_LOSSES:
            # Who is slow is to tell of several gradients.
            return replace(self, updates=max(self.updates, STRETCHES * SLOW_TIMES))
        return self


def tolerated(nodes: int) -> int:
    """The largest f with nodes >= 3f + 3.

    >>> tolerated(18), tolerated(6), tolerated(1)
    (5, 1, 0)
    """
    return max(0, nodes // 3 - 1)


def planned_steps(
    *,
    model: str,
    servers: int,
    workers: int,
    batches: Sequence[int],
    updates: int,
    rounds: int,
    outlives: bool = True,
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
    return StepPlan(model, servers, workers, sizes, updates, rounds, outlives)


def config(plan: StepPlan, contender: Contender, batch_size: int) -> Config:
    """The run of a contender; of those that are ours."""
    attacked = contender is Contender.ATTACKED
    f, f_workers = (plan.byzantine_servers, plan.byzantine_workers) if attacked else (0, 0)
    raw: dict[str, object] = {
        "run": {"name": f"step-{contender.name.lower()}", "steps": plan.steps, "seed": SEED},
        "cluster": _cluster(plan, contender),
        "model": {"name": plan.model},
        "train": {"learning_rate": LEARNING_RATE},
        "aggregation": _aggregation(plan, contender),
        "attack": {
            "servers": {"name": "reverse", "count": f},
            "workers": {"name": "reverse", "count": f_workers},
        },
        "faults": {"inject": _faults(plan) if contender is Contender.STRUCK else []},
        "checkpoint": {"every": plan.steps},
        "observe": {"every": plan.told_every},
    }
    if plan.spec.needs_data:
        raw["train"] = {"learning_rate": LEARNING_RATE, "batch_size": batch_size}
        raw["data"] = {"name": IMAGES, "options": {"shape": list(plan.spec.image_shape or ())}}
    return parse_config(raw)


def _cluster(plan: StepPlan, contender: Contender) -> dict[str, int]:
    servers, f = plan.servers, plan.byzantine_servers
    workers, f_workers = plan.workers, plan.byzantine_workers
    if contender is Contender.PLAIN:
        servers, f, f_workers = 1, 0, 0
    elif contender is Contender.ALONE:
        servers, f, workers, f_workers = servers - f, 0, workers - f_workers, 0
    return {
        "servers": servers,
        "byzantine_servers": f,
        "workers": workers,
        "byzantine_workers": f_workers,
    }


def _aggregation(plan: StepPlan, contender: Contender) -> dict[str, object]:
    if contender is Contender.PLAIN:
        return {"gradients": "average"}
    if contender is not Contender.ALONE:
        return {"gradients": "multi-krum"}
    # As many gradients are averaged as where f' are declared.
    m = plan.workers - 2 * plan.byzantine_workers - 2
    return {"gradients": "multi-krum", "gradients_options": {"m": m}}


def _faults(plan: StepPlan) -> list[dict[str, object]]:
    """The last f servers are killed, and the last f' workers slow."""
    dead = range(plan.servers - plan.byzantine_servers, plan.servers)
    slow = range(plan.workers - plan.byzantine_workers, plan.workers)
    killed, slowed = {"kind": "crash"}, {"kind": "slow", "times": float(SLOW_TIMES)}
    return [{"node": f"server-{index}", "step": STRUCK_AT, **killed} for index in dead] + [
        {"node": f"worker-{index}", "step": STRUCK_AT, **slowed} for index in slow
    ]
