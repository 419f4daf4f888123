"""When the run as a whole has diverged: more non-finite senders than can be Byzantine."""

import numpy as np

from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.messages import Vector


class Divergence:
    """Counts the peers that have sent a vector with NaN or infinity."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._senders: set[Node] = set()

    def accuse(self, sender: Node) -> str | None:
        """Reason to stop once more than f peers of the sender's role have been accused."""
        self._senders.add(sender)
        accused = sum(node.role is sender.role for node in self._senders)
        tolerated = self._cluster.byzantine(sender.role)
        if accused <= tolerated:
            return None
        return (
            f"{accused} {sender.role.value}s have sent NaN or infinity, and at most "
            f"{tolerated} can be Byzantine; a smaller train.learning_rate may help"
        )


def poison(like: Vector) -> Vector:
    """A vector that tells every receiver that this node has diverged, shape (d,)."""
    return np.full_like(like, np.nan)


def is_finite(vector: Vector) -> bool:
    """Whether a vector has neither NaN nor infinity."""
    # A sum of squares is finite only if all are, and BLAS reads as fast as memory is; large values
    # can overflow it.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.dot(vector, vector))) or bool(np.isfinite(vector).all())
