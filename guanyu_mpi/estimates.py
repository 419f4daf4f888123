"""What the servers of a run estimate of its gradients, and the bound that it is held against."""

from collections.abc import Callable

from guanyu_mpi import resilience
from guanyu_mpi.aggregation import RULES
from guanyu_mpi.cluster import Node
from guanyu_mpi.config import Config
from guanyu_mpi.messages import Vector
from guanyu_mpi.protocol.effects import Aggregated


def estimator(config: Config, node: Node) -> Callable[[Aggregated], Vector | None]:
    """What a server reports of a quorum of gradients, if anything.

    Nothing where those who may lie can be as many as the honest: the nearest may then be liars.
    """
    cluster, attackers = config.nodes, config.attackers
    if cluster.worker_quorum <= 2 * cluster.byzantine_workers:
        return lambda _: None

    def estimate(aggregated: Aggregated) -> Vector | None:
        # The core inside an attacker is honest: its word would pass for the attacker's.
        if node in attackers:
            return None
        return resilience.to_vector(
            resilience.estimate(
                aggregated.gradients,
                aggregated.aggregate,
                cluster.byzantine_workers,
                aggregated.products,
            ),
            [sender.index for sender in aggregated.senders],
            cluster.workers,
        )

    return estimate


def deviation_max(config: Config) -> float | None:
    """Up to which deviation the rule on gradients is known to be resilient, if to any."""
    cluster, aggregation = config.nodes, config.aggregation
    bound = RULES[aggregation.gradients].deviation_max
    # Where nobody can be Byzantine, nothing is promised; what comes before the rule changes
    # the vectors that its bound is about.
    if bound is None or not cluster.byzantine_workers or aggregation.pre:
        return None
    return bound(cluster.worker_quorum, cluster.byzantine_workers)
