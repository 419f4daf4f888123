"""Rank 1, a hostile worker, sends rank 0, a server, bad frames of every kind, then an honest one.

Run under mpirun with two ranks; rank 0 prints what it counted and received as JSON.
"""

import json
import os
import sys
import time
from collections import Counter

import mpi4py

mpi4py.rc.finalize = False

import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402

from guanyu_mpi.cluster import Node, Role  # noqa: E402
from guanyu_mpi.errors import Fault  # noqa: E402
from guanyu_mpi.messages import Gradient, Message, Params  # noqa: E402
from guanyu_mpi.protocol.effects import Halt  # noqa: E402
from guanyu_mpi.transport.communicators import Link  # noqa: E402
from guanyu_mpi.transport.mpi import TAG_BYE, TAG_LEAVING, TAG_MESSAGE, MpiNetwork  # noqa: E402
from guanyu_mpi.transport.wire import Decoder, encode  # noqa: E402

SERVER, WORKER = Node(Role.SERVER, 0), Node(Role.WORKER, 0)
DIMENSION = int(sys.argv[1])
FLOOD = 200
LIMIT_S = 60.0


class Recorder:
    """A participant that writes down what reaches it."""

    halt: Halt | None = None
    busy = False
    step = 0

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.received: list[tuple[int, float]] = []

    def start(self) -> None: ...

    def compute(self) -> None: ...

    def deliver(self, sender: Node, message: Message) -> None:
        assert sender == WORKER
        self.received.append((message.step, float(message.vector[0])))

    def reject(self, sender: Node, fault: Fault) -> None:
        assert sender == WORKER
        self.faults[fault.value] += 1


def hostile_frames() -> list[np.ndarray]:
    honest = encode(Gradient(1, np.ones(DIMENSION, np.float32)))
    wrong_magic, wrong_kind, late = honest.copy(), honest.copy(), honest.copy()
    wrong_magic[:4] = 0
    wrong_kind[6] = 77
    late[8:16] = 255
    return [
        honest[:100],
        honest[:-1],
        np.concatenate([honest, np.zeros(1000, np.uint8)]),
        wrong_magic,
        wrong_kind,
        encode(Params(1, np.ones(DIMENSION, np.float32))),
        late,
        encode(Gradient(1, np.full(DIMENSION, np.nan, np.float32))),
        np.zeros(0, np.uint8),
    ]


def attack(comm: MPI.Intracomm) -> None:
    frames = hostile_frames() + [np.zeros(64, np.uint8)] * FLOOD
    frames += [encode(Gradient(2, np.full(DIMENSION, 7.0, np.float32)))]
    requests = [comm.Isend([frame, MPI.BYTE], 0, TAG_MESSAGE) for frame in frames]
    requests.append(comm.Isend([np.zeros(8, np.uint8), MPI.BYTE], 0, 99))
    for word in (TAG_LEAVING, TAG_LEAVING, TAG_BYE):
        requests.append(comm.Isend([np.zeros(0, np.uint8), MPI.BYTE], 0, word))
    deadline_s = time.monotonic() + LIMIT_S
    # The oversize frame is never received: its request may stay open for ever.
    while time.monotonic() < deadline_s and not comm.Iprobe(0, TAG_MESSAGE):
        for request in requests:
            request.Test()


def serve(comm: MPI.Intracomm) -> None:
    recorder = Recorder()
    network = MpiNetwork(SERVER, {WORKER: Link(comm, 1)}, Decoder(DIMENSION, steps=10))
    deadline_s = time.monotonic() + LIMIT_S
    while not network.all_left and time.monotonic() < deadline_s:
        network.poll(recorder)
    comm.Isend([np.zeros(0, np.uint8), MPI.BYTE], 1, TAG_MESSAGE)
    result = {"faults": recorder.faults, "received": recorder.received}
    result["left"] = network.all_left
    sys.stdout.write(json.dumps(result) + "\n")


world = MPI.COMM_WORLD
world.Set_errhandler(MPI.ERRORS_RETURN)
serve(world) if world.rank == 0 else attack(world)
sys.stdout.flush()
time.sleep(0.2)
os._exit(0)
