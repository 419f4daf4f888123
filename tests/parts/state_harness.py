"""Ranks that say what they are told to, and a clock that is set."""

from collections.abc import Mapping

from parts_harness import CLUSTER, worker

from guanyu_mpi.cluster import Node
from guanyu_mpi.errors import Fault
from guanyu_mpi.messages import Gradient
from guanyu_mpi.protocol.effects import Halt
from guanyu_mpi.protocol.quorum import Wait
from guanyu_mpi.state import State


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


class Part:
    """A participant that is what it is told to be."""

    def __init__(self) -> None:
        self.halt: Halt | None = None
        self.step = 41
        self.busy = False
        self.waits_for = (Wait(Gradient, 41, 5, (worker(0), worker(2), worker(3))),)
        self.faults: Mapping[tuple[Node, Fault], int] = {(worker(5), Fault.SIZE): 200}


def said(rank: int, step: int) -> State:
    """The state of a rank that waits for nobody in particular."""
    node = str(CLUSTER.node(rank))
    return State(rank, node, 1, "host", "waits", step, (), 0.0, (), (), (), (), {}, 0, 0)
