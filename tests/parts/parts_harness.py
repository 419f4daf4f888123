"""Nodes, vectors, and a core that does as it is told."""

from collections.abc import Sequence

import numpy as np

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.protocol.effects import Effect

CLUSTER = Cluster(6, 1, 5, 6, 1, 5)


def server(index: int) -> Node:
    return Node(Role.SERVER, index)


def worker(index: int) -> Node:
    return Node(Role.WORKER, index)


def vector(*values: float) -> Vector:
    return np.array(values, np.float32)


class ScriptedCore:
    """Answers everything with the same effects, and remembers what it was asked."""

    def __init__(self, effects: Sequence[Effect]) -> None:
        self.effects = list(effects)
        self.received: list[tuple[Node, Message]] = []
        self.distrusted: list[Node] = []
        self.votes = True

    def start(self) -> list[Effect]:
        return list(self.effects)

    def receive(self, sender: Node, message: Message) -> list[Effect]:
        self.received.append((sender, message))
        return list(self.effects)

    def distrust(self, sender: Node) -> list[Effect]:
        self.distrusted.append(sender)
        return list(self.effects)

    def vote_no_more(self) -> None:
        self.votes = False
