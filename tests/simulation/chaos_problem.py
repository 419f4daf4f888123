"""What is optimised: anything with bounded gradients, so that how far a step leads is known."""

from functools import lru_cache
from math import sin, sqrt

import numpy as np

from guanyu_mpi.aggregation import Aggregator, bind
from guanyu_mpi.attacks import BoundAttack, bind_attack
from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.messages import Vector

OPTIMUM = (-3.0, 5.0, 0.25)
INITIAL = (1.0, 2.0, -1.0)
NOISE = 0.125

# A gradient's largest coordinate: a slope of at most one, and the noise of a batch.
GRADIENT_MAX = 1.0 + NOISE


def initial_params(dimension: int) -> Vector:
    """Where all servers begin, shape (d,)."""
    return np.array(INITIAL[:dimension], np.float32)


def gradient(params: Vector, worker: Node, step: int) -> Vector:
    """Of a Huber loss around OPTIMUM, plus what this worker's batch of this step adds to it."""
    slopes = (
        min(max(value - optimum, -1.0), 1.0)
        + NOISE * sin(7.0 * worker.index + 3.0 * step + coordinate)
        for coordinate, (value, optimum) in enumerate(zip(params.tolist(), OPTIMUM, strict=False))
    )
    return np.fromiter(slopes, np.float32, params.size)


def aggregate_max(gar: str, cluster: Cluster, dimension: int) -> float:
    """Largest coordinate of an aggregate of a quorum's gradients, f' of which may be anything.

    A rule that keeps to the honest box keeps to its bound. Each of the n - f vectors that are
    honest has at least n - f - 1 others within their diameter D, so its Krum score is at most
    (n - f - 2) D^2; so is that of any vector selected, and one of its n - f - 2 nearest is honest,
    at no more than sqrt(n - f - 2) D.
    """
    return GRADIENT_MAX + slack(gar, cluster, 2.0 * GRADIENT_MAX * sqrt(dimension))


def slack(gar: str, cluster: Cluster, diameter: float) -> float:
    """How far from the box of honest gradients the rule's result may be in any coordinate."""
    if gar not in ("krum", "multi-krum"):
        return 0.0
    return sqrt(cluster.worker_quorum - cluster.byzantine_workers - 2) * diameter


@lru_cache(maxsize=256)
def bound_rule(name: str, n: int, f: int) -> Aggregator:
    """A rule for n vectors of which f may be Byzantine."""
    return bind(name, n=n, f=f)


@lru_cache(maxsize=16)
def bound_attack(name: str) -> BoundAttack:
    """An attack with its own options."""
    return bind_attack(name)
