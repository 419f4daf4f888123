"""Who is on the same node, by MPI's word: launchers differ in what they say of it, and can err."""

import os

import numpy as np
from mpi4py import MPI

# As many as Linux's own sets of cores hold.
CORES_MAX = 1024


def neighbours(world: MPI.Intracomm) -> tuple[int, list[frozenset[int]]]:
    """This rank's place among those on its node, and the cores each may use; collective."""
    node = world.Split_type(MPI.COMM_TYPE_SHARED, key=world.rank)
    mine = np.zeros(CORES_MAX, np.uint8)
    mine[[core for core in os.sched_getaffinity(0) if core < CORES_MAX]] = 1
    everyone = np.empty((node.size, CORES_MAX), np.uint8)
    node.Allgather(mine, everyone)
    local_rank = node.rank
    node.Free()
    return local_rank, [frozenset(np.flatnonzero(row).tolist()) for row in everyone]
