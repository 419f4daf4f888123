"""Honest vectors, what an attacker knows of them, and small runs with attackers."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from guanyu_mpi import models
from guanyu_mpi.attacks import Crowd, Honest, View, bind_attack
from guanyu_mpi.attacks.view import mean
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.messages import Vector
from guanyu_mpi.simulation import Simulated

Numbers: TypeAlias = dict[str, float]

CLUSTER = Cluster(6, 1, 5, 6, 1, 5)

# With a rate of 0.3 and curvature of 0.5 at least, enough for what is left to be mostly noise.
STEPS = 15


def server(index: int) -> Node:
    return Node(Role.SERVER, index)


def worker(index: int) -> Node:
    return Node(Role.WORKER, index)


def vector(*values: float) -> Vector:
    return np.array(values, np.float32)


def draws(count: int, dimension: int = 200, seed: int = 1) -> tuple[Vector, ...]:
    """Honest gradients: a common mean, and noise of deviation 0.5."""
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal(dimension)
    drawn = centre + 0.5 * rng.standard_normal((count, dimension))
    return tuple(drawn.astype(np.float32))


def crowd_of(nodes: int, attackers: int, quorum: int) -> Crowd:
    return Crowd(nodes, attackers, quorum, lambda _: mean)


def view_of(
    vectors: Sequence[Vector],
    *,
    step: int = 4,
    receiver: Node | None = None,
    sender: Node | None = None,
    crowd: Crowd | None = None,
) -> View:
    """What an attacker sees who has overheard these vectors; its own is the first once more."""
    honest = Honest(tuple(worker(index) for index in range(len(vectors))), tuple(vectors))
    return View(
        vectors[0],
        step,
        sender or worker(len(vectors)),
        receiver or server(0),
        seed=1,
        overheard=honest,
        crowd=crowd or crowd_of(len(vectors) + 2, 2, len(vectors) + 2),
    )


def sent(name: str, view: View, **options: float) -> Vector:
    lie = bind_attack(name, **options)(view)
    assert lie is not None
    return lie


def worker_config(
    rule: str, attack: str = "", options: Numbers | None = None, *, sigma: float
) -> Config:
    """A trusted server and nine workers, the last two of which attack if there is an attack."""
    return _config(
        {"servers": 1, "workers": 9, "byzantine_workers": 0 if rule == "average" else 2},
        {"gradients": rule},
        {"workers": {"name": attack, "count": 2, "options": options or {}}} if attack else {},
        sigma,
    )


def server_config(
    rule: str, attack: str = "", options: Numbers | None = None, *, sigma: float
) -> Config:
    """Six servers and six workers; the last server attacks if there is an attack."""
    return _config(
        {"servers": 6, "byzantine_servers": int(rule != "average")}
        | {"workers": 6, "byzantine_workers": 1},
        {"gradients": "average", "models": rule},
        {"servers": {"name": attack, "count": 1, "options": options or {}}} if attack else {},
        sigma,
    )


def end_of(result: Simulated | None) -> float:
    """The last loss; infinite where the run has not come to its end, the initial one if no run."""
    if result is None:
        config = worker_config("average", sigma=0.0)
        model, seed = config.model, config.run.seed
        initial = models.describe(model.name, model.options, seed).initial_params()
        return models.objective(model.name, model.options, seed).evaluate(initial).loss
    seen = result.observation
    return seen.loss if seen and seen.step == STEPS else float("inf")


def _config(
    cluster: dict[str, int], rules: dict[str, str], attack: dict[str, object], sigma: float
) -> Config:
    return parse_config(
        {
            "run": {"name": "attacked", "steps": STEPS},
            "cluster": cluster,
            "model": {
                "name": "quadratic",
                "options": {"dimension": 200, "mu": 0.5, "sigma": sigma},
            },
            "train": {"learning_rate": 0.3},
            "aggregation": rules,
            "attack": attack,
            "observe": {"every": STEPS},
        }
    )
