"""A node's shell: performs what its core asks for, through ports. Only here do things happen.

The same shell runs under MPI and in the simulator; its ports differ.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guanyu_mpi.cluster import OBSERVER, Cluster, Node, Role
from guanyu_mpi.errors import Fault, InvariantError
from guanyu_mpi.messages import Gradient, Message, Report, Vector
from guanyu_mpi.protocol.effects import (
    Aggregated,
    Broadcast,
    Commit,
    ComputeGradient,
    Consumed,
    Core,
    Effect,
    Halt,
    Send,
)
from guanyu_mpi.protocol.quorum import Wait


@dataclass(frozen=True, slots=True, eq=False)
class Ports:
    """What a shell does things with.

    `gradient(params, step)` returns a new vector, shape (d,); `estimate` returns what to report of
    a quorum of gradients, None if nothing; `consumed` writes a quorum down before anything that
    follows from it is sent; `rejected(sender, fault, times)` and `halted` are told what happens.
    Params and reports go to the observer every `observe_every` steps, and Params after the last of
    `steps`.
    """

    send: Callable[[Sequence[Node], Message], None]
    gradient: Callable[[Vector, int], Vector]
    estimate: Callable[[Aggregated], Vector | None]
    commit: Callable[[Commit], None]
    rejected: Callable[[Node, Fault, int], None]
    halted: Callable[[Halt], None]
    observe_every: int
    steps: int
    # Without a directory to write into, nothing is written down.
    consumed: Callable[[Consumed], None] = lambda _: None


class Shell:
    """One node: its core, its ports, and the gradient it has been asked for, if any."""

    def __init__(self, node: Node, cluster: Cluster, core: Core, ports: Ports) -> None:
        self.node = node
        self.halt: Halt | None = None
        self._work: ComputeGradient | None = None
        self._faults: Counter[tuple[Node, Fault]] = Counter()
        self._cluster = cluster
        self._core = core
        self._ports = ports

    @property
    def core(self) -> Core:
        """The state machine inside, for those who watch."""
        return self._core

    @property
    def faults(self) -> Mapping[tuple[Node, Fault], int]:
        """How many bad frames of each kind every peer has sent."""
        return self._faults

    @property
    def step(self) -> int:
        """The step that the core has reached."""
        return self._core.step

    @property
    def waits_for(self) -> tuple[Wait, ...]:
        """What the core waits for from its peers."""
        return self._core.waits_for

    @property
    def busy(self) -> bool:
        """Whether the core waits for a gradient."""
        return self._work is not None

    def start(self) -> None:
        """Perform the core's first effects."""
        self._perform(self._core.start())

    def deliver(self, sender: Node, message: Message) -> None:
        """Hand a checked message to the core."""
        self._perform(self._core.receive(sender, message))

    def reject(self, sender: Node, fault: Fault) -> None:
        """Count a bad frame against its sender; a vector that is not finite concerns the core."""
        self._faults[sender, fault] += 1
        self._ports.rejected(sender, fault, self._faults[sender, fault])
        if fault is Fault.NON_FINITE:
            self._perform(self._core.distrust(sender))

    def vote_no_more(self) -> None:
        """Have the core follow the others, because this node leaves."""
        self._core.vote_no_more()

    def compute(self) -> None:
        """Compute the gradient that the core has asked for, and deliver it as its own vote."""
        if self._work is None:
            raise InvariantError(f"{self.node} has no gradient to compute")
        work, self._work = self._work, None
        gradient = self._ports.gradient(work.params, work.step)
        self.deliver(self.node, Gradient(work.step, gradient))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Broadcast(message, to):
                    self._broadcast(message, to)
                case Send(message, receiver):
                    self._send([receiver], message)
                case Consumed():
                    self._ports.consumed(effect)
                case ComputeGradient():
                    self._work = effect
                case Aggregated():
                    self._report(effect)
                case Commit():
                    self._ports.commit(effect)
                case Halt():
                    self.halt = effect
                    self._ports.halted(effect)

    def _report(self, aggregated: Aggregated) -> None:
        # Estimated only if it is sent: it takes a pass over the gradients.
        if not self._due(aggregated.step):
            return
        vector = self._ports.estimate(aggregated)
        if vector is not None:
            self._send([OBSERVER], Report(aggregated.step, vector))

    def _broadcast(self, message: Message, to: Role) -> None:
        self._send([node for node in self._cluster.nodes(to) if node != self.node], message)

    def _send(self, receivers: list[Node], message: Message) -> None:
        if receivers and receivers[0].role is Role.OBSERVER and not self._due(message.step):
            return
        self._ports.send(receivers, message)

    def _due(self, step: int) -> bool:
        # The observer sees every k-th step and the last.
        return step % self._ports.observe_every == 0 or step == self._ports.steps
