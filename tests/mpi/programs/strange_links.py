"""A rank that sends itself what is stray, a flood of it where messages could be as well.

Run under mpirun with one rank; it prints what it has thrown away, look by look, as JSON.
"""

import json
import os
import sys
from collections import Counter

import mpi4py

mpi4py.rc.finalize = False

import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402

from guanyu_mpi.cluster import Node, Role  # noqa: E402
from guanyu_mpi.errors import Fault  # noqa: E402
from guanyu_mpi.transport.communicators import Link  # noqa: E402
from guanyu_mpi.transport.strangers import Strangers  # noqa: E402

FLOOD = 1200


class Recorder:
    """Counts by sender."""

    def __init__(self) -> None:
        self.counted: Counter[Node] = Counter()

    def reject(self, sender: Node, fault: Fault) -> None:
        assert fault is Fault.STRAY
        self.counted[sender] += 1


def thrown_away(*, something_came: bool) -> int:
    """How many messages are thrown away in a look."""
    before = recorder.counted.total()
    strangers.look(recorder, [in_use] if something_came else [])
    return recorder.counted.total() - before


world = MPI.COMM_WORLD
in_use, silent = world.Dup(), world.Dup()
node = Node(Role.WORKER, 0)
# It is a stranger to itself, since nobody else is there.
recorder, strangers = (
    Recorder(),
    Strangers([(node, Link(comm, 0)) for comm in (in_use, silent)], [in_use]),
)
requests = [
    comm.Isend([np.zeros(64, np.uint8), MPI.BYTE], 0, 7)
    for comm, times in ((in_use, FLOOD), (silent, 3))
    for _ in range(times)
]
result = {
    "nothing came": thrown_away(something_came=False),
    "something came": thrown_away(something_came=True),
    # It is looked at again as long as there is more.
    "after that": [thrown_away(something_came=False) for _ in range(3)],
}
sys.stdout.write(json.dumps(result) + "\n")
sys.stdout.flush()
os._exit(0)
