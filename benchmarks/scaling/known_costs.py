"""What a node's own work takes on one core here: measured alone, before any job runs."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from guanyu_mpi import models
from guanyu_mpi.aggregation import Aggregator, bind
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.heap import keep_freed_memory
from guanyu_mpi.messages import Gradient, Params, Vector
from guanyu_mpi.protocol.divergence import is_finite
from guanyu_mpi.protocol.server import updated
from guanyu_mpi.resilience import estimate
from guanyu_mpi.transport.wire import encode

REPEATS = 5


@dataclass(frozen=True, slots=True)
class Known:
    """Seconds of one core, with the frames that are made of each result."""

    gradient_s: float
    rule_s: float
    median_s: float
    # What an observed step costs besides: every server's estimates, and the observer's own work.
    estimate_s: float
    observation_s: float


def known_costs(cluster: Cluster, dimension: int) -> Known:
    """The costs of the quadratic problem's run on this cluster, each the median of a few."""
    # As ranks do.
    keep_freed_memory()
    rng = np.random.default_rng(0)
    gradients = [_vector(rng, dimension) for _ in range(cluster.worker_quorum)]
    params = [_vector(rng, dimension) for _ in range(cluster.server_quorum)]
    objective = models.objective("quadratic", {"dimension": dimension}, 3)
    f, f_workers = cluster.byzantine_servers, cluster.byzantine_workers
    # Ranks that share cores combine a quorum at once, and do nothing ahead of that.
    median = replace(bind("median", n=cluster.server_quorum, f=f), ahead=False)
    rule = replace(bind("multi-krum", n=cluster.worker_quorum, f=f_workers), ahead=False)
    gathering = rule.gather()
    gathering.combine(gradients)

    def combined() -> Vector:
        return _gathered(median, params)

    def gradient() -> None:
        _, vector = objective.gradient(params[0], 0, 0)
        is_finite(vector)
        encode(Gradient(0, vector))

    def update() -> None:
        vector = updated(params[0], 0.1, _gathered(rule, gradients))
        is_finite(vector)
        encode(Params(0, vector))

    return Known(
        gradient_s=_median_s(gradient),
        rule_s=_median_s(update),
        median_s=_median_s(combined),
        estimate_s=_median_s(
            lambda: estimate(gradients, params[0], f_workers, gathering.products)
        ),
        observation_s=_median_s(lambda: objective.evaluate(combined())),
    )


def _gathered(aggregator: Aggregator, vectors: list[Vector]) -> Vector:
    return aggregator.gather().combine(vectors)


def _vector(rng: np.random.Generator, dimension: int) -> Vector:
    return rng.standard_normal(dimension, np.float32)


def _median_s(work: Callable[[], object]) -> float:
    """After a first call, which finds memory that nobody has touched."""
    work()
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
