"""Rank 2 sends rank 0 a message and dies; rank 1 sends it one after another, but later.

Rank 0 prints, as JSON, what it has heard by the death and after, and whether MPI then refuses to
say if there is a message from anyone.
"""

import json
import os
import signal
import sys
import time

import mpi4py

mpi4py.rc.finalize = False

import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402

from guanyu_mpi.cluster import Node, Role  # noqa: E402
from guanyu_mpi.errors import Fault  # noqa: E402
from guanyu_mpi.messages import Gradient, Message  # noqa: E402
from guanyu_mpi.transport.communicators import Link  # noqa: E402
from guanyu_mpi.transport.mpi import MpiNetwork  # noqa: E402
from guanyu_mpi.transport.wire import Decoder  # noqa: E402

SERVER, LIVING, DYING = Node(Role.SERVER, 0), Node(Role.WORKER, 0), Node(Role.WORKER, 1)
DIMENSION, STEPS, LIMIT_S = 100, 10**6, 60.0
AFTER = 20
# Longer than MPI takes to tell of a death.
SILENT_S = 5.0


class Listener:
    """A participant that counts what it hears of each."""

    def __init__(self) -> None:
        self.heard = {LIVING: 0, DYING: 0}

    def deliver(self, sender: Node, _: Message) -> None:
        self.heard[sender] += 1

    def reject(self, sender: Node, fault: Fault) -> None:
        raise AssertionError(f"{sender}: {fault}")


def refuses(comm: MPI.Intracomm) -> bool:
    """Whether a question for anyone is an error."""
    try:
        comm.Iprobe(MPI.ANY_SOURCE)
    except MPI.Exception:
        return True
    return False


def serve(comm: MPI.Intracomm) -> None:
    links = {LIVING: Link(comm, 1), DYING: Link(comm, 2)}
    network, listener = MpiNetwork(SERVER, links, Decoder(DIMENSION, STEPS)), Listener()
    deadline_s = time.monotonic() + LIMIT_S
    by_the_death = None
    while time.monotonic() < deadline_s:
        network.poll(listener)
        if by_the_death is None and network.traffic.gone:
            by_the_death = dict(listener.heard)
        if by_the_death and listener.heard[LIVING] >= by_the_death[LIVING] + AFTER:
            break
        time.sleep(1e-3)
    result = {
        "by_the_death": by_the_death and [by_the_death[LIVING], by_the_death[DYING]],
        "in_the_end": [listener.heard[LIVING], listener.heard[DYING]],
        "dead": comm.Get_failed().size,
        "refuses": refuses(comm),
    }
    sys.stdout.write(json.dumps(result) + "\n")


def speak(comm: MPI.Intracomm, me: Node, times: int) -> None:
    network = MpiNetwork(me, {SERVER: Link(comm, 0)}, Decoder(DIMENSION, STEPS))
    for step in range(times):
        network.send([SERVER], Gradient(step, np.zeros(DIMENSION, np.float32)))
        for _ in range(20):
            network.poll(Listener())
            time.sleep(1e-3)


world = MPI.COMM_WORLD
pids = np.empty(world.size, np.int64)
world.Allgather(np.array([os.getpid()], np.int64), pids)
world.Set_errhandler(MPI.ERRORS_RETURN)
if world.rank == 0:
    serve(world)
    sys.stdout.flush()
    os.kill(int(pids[1]), signal.SIGKILL)
    os._exit(0)
if world.rank == 2:
    speak(world, DYING, 1)
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(SILENT_S)
speak(world, LIVING, STEPS)
