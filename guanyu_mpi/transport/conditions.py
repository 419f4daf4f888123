"""What a simulated network does to messages and nodes: delays, slowness, partitions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from guanyu_mpi.cluster import Node


def _constant(mean_s: float, _: np.random.Generator) -> float:
    return mean_s


def _uniform(mean_s: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(0.0, 2.0 * mean_s))


def _exponential(mean_s: float, rng: np.random.Generator) -> float:
    return float(rng.exponential(mean_s))


def _pareto(mean_s: float, rng: np.random.Generator) -> float:
    # Shape 1.5: the mean exists, the variance does not; the worst case for anyone who waits.
    return float(mean_s / 2.0 * rng.pareto(1.5))


DELAYS = {
    "constant": _constant,
    "uniform": _uniform,
    "exponential": _exponential,
    "pareto": _pareto,
}


@dataclass(frozen=True, slots=True)
class Partition:
    """From start to end, in seconds of virtual time, nothing passes between the two sides."""

    nodes: frozenset[Node]
    start_s: float
    end_s: float

    def separates(self, sender: Node, receiver: Node) -> bool:
        """Whether the two are on different sides."""
        return (sender in self.nodes) != (receiver in self.nodes)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Delay of a link, time to process a message and to compute a gradient, and who is slow.

    `slow` multiplies a node's processing and computing times; `links` gives single links another
    mean delay. All times are in seconds.
    """

    delay: str = "exponential"
    delay_mean_s: float = 1e-3
    process_s: float = 1e-4
    compute_s: float = 1e-2
    slow: Mapping[Node, float] = field(default_factory=lambda: MappingProxyType({}))
    links: Mapping[tuple[Node, Node], float] = field(default_factory=lambda: MappingProxyType({}))
    partitions: tuple[Partition, ...] = ()

    def arrival_s(
        self, sender: Node, receiver: Node, now_s: float, rng: np.random.Generator
    ) -> float:
        """When a message sent now arrives; one that meets a partition waits until it heals."""
        mean_s = self.links.get((sender, receiver), self.delay_mean_s)
        arrival_s = now_s + DELAYS[self.delay](mean_s, rng)
        # In order of time, so that one partition after another is met.
        for partition in sorted(self.partitions, key=lambda cut: cut.start_s):
            meets = partition.start_s <= arrival_s and now_s < partition.end_s
            if meets and partition.separates(sender, receiver):
                arrival_s = max(arrival_s, partition.end_s + DELAYS[self.delay](mean_s, rng))
        return arrival_s

    def slowness(self, node: Node) -> float:
        """How many times longer a node takes for everything."""
        return self.slow.get(node, 1.0)
