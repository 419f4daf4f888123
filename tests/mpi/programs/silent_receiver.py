"""Rank 0 sends many large messages to rank 1, which never receives, and to rank 2, which does.

Rank 2 also sends rank 0 oversize messages, which are never received. Rank 0
prints, as JSON, what became of it all.
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
from guanyu_mpi.messages import Message, Params  # noqa: E402
from guanyu_mpi.protocol.effects import Halt  # noqa: E402
from guanyu_mpi.transport.communicators import Link  # noqa: E402
from guanyu_mpi.transport.mpi import TAG_MESSAGE, MpiNetwork  # noqa: E402
from guanyu_mpi.transport.wire import Decoder, frame_bytes  # noqa: E402

SERVER, SILENT, HEARING = Node(Role.SERVER, 0), Node(Role.WORKER, 0), Node(Role.WORKER, 1)
DIMENSION, STEPS, LIMIT_S = 500_000, 60, 60.0
DONE_TAG = 7
OVERSIZE = 16


class Counter:
    """A participant that counts what was rejected."""

    halt: Halt | None = None
    busy = False
    step = 0
    rejected = 0

    def start(self) -> None: ...

    def compute(self) -> None: ...

    def deliver(self, sender: Node, message: Message) -> None:
        raise AssertionError(f"{sender} sent an honest {message}")

    def reject(self, sender: Node, fault: Fault) -> None:
        assert (sender, fault) == (HEARING, Fault.SIZE)
        self.rejected += 1


def serve(comm: MPI.Intracomm) -> None:
    counter = Counter()
    links = {SILENT: Link(comm, 1), HEARING: Link(comm, 2)}
    network = MpiNetwork(SERVER, links, Decoder(DIMENSION, STEPS))
    deadline_s = time.monotonic() + LIMIT_S
    for step in range(STEPS + 1):
        network.send([SILENT, HEARING], Params(step, np.full(DIMENSION, step, np.float32)))
        network.poll(counter)
    heard = np.zeros(1, np.int64)
    last_heard = control.Irecv([heard, MPI.INT64_T], 2, DONE_TAG)
    while not last_heard.Test() and time.monotonic() < deadline_s:
        network.poll(counter)
    result = {
        "heard_last": int(heard[0]),
        "rejected": counter.rejected,
        "oversize": OVERSIZE,
        "replaced": network.traffic.replaced,
    }
    sys.stdout.write(json.dumps(result) + "\n")


def hear(comm: MPI.Intracomm) -> None:
    oversize = np.zeros(frame_bytes(DIMENSION) + 1, np.uint8)
    requests = [comm.Isend([oversize, MPI.BYTE], 0, TAG_MESSAGE) for _ in range(OVERSIZE)]
    frame = np.empty(frame_bytes(DIMENSION), np.uint8)
    step = np.zeros(1, np.int64)
    while step[0] < STEPS:
        comm.Recv([frame, MPI.BYTE], 0, TAG_MESSAGE)
        step[0] = int(frame[-4:].view("<f4")[0])
        time.sleep(0.01)
    control.Isend([step, MPI.INT64_T], 0, DONE_TAG).Wait()
    assert len(requests) == OVERSIZE


world = MPI.COMM_WORLD
control = world.Dup()
pids = np.empty(world.size, np.int64)
control.Allgather(np.array([os.getpid()], np.int64), pids)
world.Set_errhandler(MPI.ERRORS_RETURN)
if world.rank == 0:
    serve(world)
    sys.stdout.flush()
    for pid in pids[1:]:
        os.kill(int(pid), signal.SIGKILL)
    os._exit(0)
if world.rank == 2:
    hear(world)
time.sleep(LIMIT_S)
