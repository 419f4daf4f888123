"""The transport's benchmark: a vector there and back between two ranks, by MPI alone and by us."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from mpi4py import MPI

from guanyu_mpi.bench.machine import described
from guanyu_mpi.bench.transport_report import (
    Contender,
    Sent,
    TransportPlan,
    TransportReport,
)
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.errors import Fault, InvariantError
from guanyu_mpi.heap import keep_freed_memory
from guanyu_mpi.messages import Gradient, Message, Params
from guanyu_mpi.seeds import stream
from guanyu_mpi.transport.backoff import Backoff
from guanyu_mpi.transport.communicators import Link
from guanyu_mpi.transport.library import library_in_use
from guanyu_mpi.transport.mpi import MpiNetwork
from guanyu_mpi.transport.wire import Decoder

# The first asks, the second answers.
NODES = (Node(Role.SERVER, 0), Node(Role.WORKER, 0))
KINDS = (Params, Gradient)


def measure(plan: TransportPlan, say: Callable[[str], None]) -> TransportReport | None:
    """Everything the plan asks for, on two ranks, of which the first reports."""
    world = MPI.COMM_WORLD
    if world.size != len(NODES):
        raise InvariantError(f"{world.size} ranks measure the transport: must be {len(NODES)}")
    # As ranks do.
    keep_freed_memory()
    date = datetime.now(UTC).isoformat(timespec="seconds")
    machine = described(cores=len(os.sched_getaffinity(0)))
    results = []
    for size_bytes in plan.sizes:
        if world.rank == 0:
            say(f"{size_bytes:,} bytes")
        results.append(_sent(world, size_bytes, plan))
    if world.rank:
        return None
    library = str(library_in_use())
    return TransportReport(date, machine, library, tuple(results), plan.element)


def _sent(world: MPI.Intracomm, size_bytes: int, plan: TransportPlan) -> Sent:
    raw, ours = Raw(world, size_bytes), Ours(world, size_bytes, plan)
    exchanges: dict[Contender, Callable[[], None]] = {
        Contender.RAW: raw.exchange,
        Contender.OURS: lambda: ours.exchange(sleeps=True),
        Contender.AWAKE: lambda: ours.exchange(sleeps=False),
    }
    seconds: dict[Contender, list[float]] = {contender: [] for contender in exchanges}
    # The first finds cold caches and does not count.
    for _ in range(plan.repeats + 1):
        for contender, exchange in exchanges.items():
            begun_s = time.perf_counter()
            exchange()
            seconds[contender].append((time.perf_counter() - begun_s) / 2)
    return Sent(size_bytes, {contender: tuple(each[1:]) for contender, each in seconds.items()})


class Raw:
    """MPI alone: nothing is made, and nothing is looked at."""

    def __init__(self, world: MPI.Intracomm, size_bytes: int) -> None:
        self._comm = world.Dup()
        self._peer = 1 - world.rank
        self._out = np.zeros(size_bytes, np.uint8)
        self._into = np.zeros(size_bytes, np.uint8)

    def exchange(self) -> None:
        """Send and wait for the answer, or wait and answer."""
        receiving = self._comm.Irecv([self._into, MPI.BYTE], self._peer)
        if self._peer == 0:
            receiving.Wait()
        sending = self._comm.Isend([self._out, MPI.BYTE], self._peer)
        MPI.Request.Waitall([sending, receiving])


class Ours:
    """A node of a run, as its messages see it."""

    def __init__(self, world: MPI.Intracomm, size_bytes: int, plan: TransportPlan) -> None:
        me, peer = world.rank, 1 - world.rank
        dimension = size_bytes // plan.element.size_bytes
        # Two contenders use it, each once more than is counted.
        decoder = Decoder(dimension, steps=2 * (plan.repeats + 1), narrowed=plan.element)
        self._network = MpiNetwork(NODES[me], {NODES[peer]: Link(world.Dup(), peer)}, decoder)
        self._asks, self._kind, self._peer = me == 0, KINDS[me], NODES[peer]
        random = stream(0, "bench", "transport", me)
        self._vector = random.standard_normal(dimension, dtype=np.float32)
        self._step = 0
        self._received = 0

    def exchange(self, *, sleeps: bool) -> None:
        """Send and wait for the answer, or wait and answer."""
        if self._asks:
            self._send()
            self._move(sleeps=sleeps)
        else:
            self._move(sleeps=sleeps)
            self._send()
            self._move(sleeps=sleeps)
        self._step += 1

    def deliver(self, _: Node, message: Message) -> None:
        """One more is here: of who is asked, perhaps the next before it knows its answer sent."""
        if message.step != self._received:
            raise InvariantError(f"step {message.step} has come, and not {self._received}")
        self._received += 1

    def reject(self, sender: Node, fault: Fault) -> None:
        """Nothing wrong is sent."""
        raise InvariantError(f"{sender} has sent what is wrong: {fault.value}")

    def _send(self) -> None:
        self._network.send([self._peer], self._kind(self._step, self._vector))

    def _move(self, *, sleeps: bool) -> None:
        """Until the peer's message of this step is here, and one's own there if it is sent."""
        backoff = Backoff()
        while self._received <= self._step or self._network.traffic.sending:
            moved = self._network.poll(self)
            if sleeps and (self._received <= self._step or self._network.traffic.sending):
                backoff.rest(moved=moved, receiving=self._network.receiving)
