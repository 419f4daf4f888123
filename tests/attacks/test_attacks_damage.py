"""Each attack in whole simulated runs: plain averaging suffers, and rules within bounds do not.

On a quadratic whose loss is exact. The averaged runs have so much noise that its growth is seen,
the others so little that the variance condition of Multi-Krum holds down to a small loss.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache

import pytest
from attack_harness import STEPS, Numbers, end_of, server_config, worker_config

from guanyu_mpi.attacks import ATTACKS
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config
from guanyu_mpi.messages import Message
from guanyu_mpi.simulation import simulate

# Attacks that are weak unless they are told to be strong.
WORKERS: dict[str, Numbers] = {name: {} for name in ATTACKS} | {
    "equivocate": {"std": 10.0},
    "ipm": {"epsilon": 10.0},
}
SERVERS: dict[str, Numbers] = WORKERS | {
    "alie": {"z": 50.0},
    "drift": {"z": 50.0},
    "one-coordinate": {"gamma": 50.0},
}
# Labels are flipped where there are some.
del WORKERS["label-flip"], SERVERS["label-flip"]
# Servers differ by less than one update: who copies one of them harms nobody, not even an average.
del SERVERS["mimic"]

# Loss at the end, as a multiple of that without attackers.
SUFFERS = 1.25
# Loss at the end, as a share of that at the beginning.
SURVIVES = 0.01


@cache
def clean(role: str) -> float:
    config = worker_config if role == "workers" else server_config
    return end_of(simulate(config("average", sigma=0.5)))


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_the_average_suffers_from_two_attacking_workers_of_nine(name: str) -> None:
    config = worker_config("average", name, WORKERS[name], sigma=0.5)
    assert end_of(simulate(config)) > SUFFERS * clean("workers")


def survived(config: Config, attack: str) -> float:
    """The last loss of a run whose attackers have all lied at nearly every step, or been mute."""
    said: Counter[Node] = Counter()

    def on_send(sender: Node, receivers: Sequence[Node], message: Message) -> None:
        said[sender] += any(to.role is not Role.OBSERVER for to in receivers)

    result = simulate(config, on_send=on_send)
    assert result.unfinished(config) == []
    for node in config.attackers:
        assert (said[node] == 0) if attack == "mute" else (said[node] > STEPS / 2)
    return end_of(result)


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_multi_krum_survives_two_attacking_workers_of_nine(name: str) -> None:
    config = worker_config("multi-krum", name, WORKERS[name], sigma=0.05)
    assert survived(config, name) < SURVIVES * end_of(None)


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_the_average_suffers_from_an_attacking_server_of_six(name: str) -> None:
    config = server_config("average", name, SERVERS[name], sigma=0.5)
    assert end_of(simulate(config)) > SUFFERS * clean("servers")


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_the_median_survives_an_attacking_server_of_six(name: str) -> None:
    config = server_config("median", name, SERVERS[name], sigma=0.05)
    assert survived(config, name) < SURVIVES * end_of(None)


@pytest.mark.parametrize("name", ["alie", "mimic", "opt-ipm", "bit-flip"])
def test_the_same_seed_gives_the_same_bits(name: str) -> None:
    config = worker_config("multi-krum", name, {}, sigma=0.5)
    assert simulate(config).trace_hash == simulate(config).trace_hash
