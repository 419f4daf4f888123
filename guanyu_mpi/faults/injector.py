"""Strikes a node with its faults: between its shell and what the shell does things with.

A fault strikes as soon as the node reaches its step, or first passes it, and once in a run: what
an earlier life of the run has suffered is not suffered again. It is written down before it
strikes, because some leave nobody to do so.
"""

import signal
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from guanyu_mpi.cluster import Node
from guanyu_mpi.faults import process
from guanyu_mpi.faults.frames import MAKERS, frames
from guanyu_mpi.faults.kinds import KINDS, Injection
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.node import Ports
from guanyu_mpi.protocol.effects import Commit, Halt
from guanyu_mpi.seeds import stream
from guanyu_mpi.transport.wire import ROUTES, Decoder, Frame

# Of a large message some parts have left after these, and others have not.
PUSHES_BEFORE_DEATH = 3


class RawNetwork(Protocol):
    """What sends frames that are no messages."""

    @property
    def peers(self) -> Collection[Node]:
        """Everyone that the node has a link to."""

    def inject(self, receivers: Sequence[Node], frames: Sequence[Frame]) -> None:
        """Send frames as they are to each receiver."""

    def push(self) -> int:
        """Move what was injected; how many frames have not arrived."""


class Injector:
    """Watches the steps that a node reaches, and does to it what is due.

    `record(injection, unfinished)` is told before a fault strikes; `unfinished` counts the frames
    that are on their way at that moment.
    """

    def __init__(
        self,
        injections: Sequence[Injection],
        network: RawNetwork,
        decoder: Decoder,
        seed: int,
        record: Callable[[Injection, int], None],
    ) -> None:
        # Of one step, those that end the node come last: a crash leaves nobody for the others.
        self._waiting = sorted(injections, key=lambda due: (due.step, KINDS[due.kind].ends))
        self._network = network
        self._decoder = decoder
        self._seed = seed
        self._record = record
        self._last: dict[Node, Message] = {}
        self._delay_s = 0.0
        self._slow_times = 1.0
        self._spoken_to: frozenset[Node] | None = None

    def between(self, ports: Ports) -> Ports:
        """The ports, and this injector before them."""

        def send(receivers: Sequence[Node], message: Message) -> None:
            self._last.update(dict.fromkeys(receivers, message))
            self.reach(message.step)
            time.sleep(self._delay_s)
            ports.send([node for node in receivers if self._speaks_to(node)], message)

        def gradient(params: Vector, step: int) -> Vector:
            self.reach(step)
            began_s = time.perf_counter()
            computed = ports.gradient(params, step)
            # Asleep it takes no core from others, as a device that is slow would not.
            time.sleep((self._slow_times - 1) * (time.perf_counter() - began_s))
            return computed

        def commit(commit: Commit) -> None:
            ports.commit(commit)
            self.reach(commit.step)

        def halted(halt: Halt) -> None:
            # A worker that has fallen behind may pass many steps at once, and be done.
            self.reach(halt.step)
            ports.halted(halt)

        return replace(ports, send=send, gradient=gradient, commit=commit, halted=halted)

    def reach(self, step: int) -> None:
        """Strike with all that is due at a step."""
        while self._waiting and self._waiting[0].step <= step:
            self._strike(self._waiting.pop(0))

    def _strike(self, injection: Injection) -> None:
        if injection.kind == "die-sending":
            self._die_sending(injection)
            return
        self._record(injection, 0)
        if injection.kind in MAKERS:
            self._inject(injection)
        elif injection.kind == "delay":
            self._delay_s = injection.delay_ms / 1e3
        elif injection.kind == "slow":
            self._slow_times = injection.times
        elif injection.kind == "partial-send":
            self._spoken_to = injection.receivers
        else:
            PROCESS[injection.kind](injection)

    def _die_sending(self, injection: Injection) -> None:
        self._inject(injection)
        for _ in range(PUSHES_BEFORE_DEATH):
            unfinished = self._network.push()
        self._record(injection, unfinished)
        process.die(signal.SIGKILL)

    def _inject(self, injection: Injection) -> None:
        rng = stream(self._seed, "faults", str(injection))
        for receiver in self._receivers(injection):
            honest = self._honest(injection, receiver)
            element = self._decoder.element(type(honest), receiver.role)
            self._network.inject([receiver], frames(injection, honest, rng, element))

    def _receivers(self, injection: Injection) -> list[Node]:
        chosen, role = injection.receivers, injection.node.role
        peers = (peer for peer in self._network.peers if (role, peer.role) in ROUTES)
        return sorted(node for node in peers if chosen is None or node in chosen)

    def _honest(self, injection: Injection, receiver: Node) -> Message:
        """What this receiver was sent last, or would have been."""
        if receiver in self._last:
            return self._last[receiver]
        (kind, *_) = ROUTES[injection.node.role, receiver.role]
        return kind(injection.step, np.zeros(self._decoder.dimension, np.float32))

    def _speaks_to(self, receiver: Node) -> bool:
        return self._spoken_to is None or receiver in self._spoken_to


PROCESS: dict[str, Callable[[Injection], None]] = {
    "crash": process.crash,
    "hang": process.hang,
    "busy-loop": process.busy_loop,
    "pause": process.pause,
}
