"""Watches a simulated run: what must hold after every event, and whether its faults happened."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config
from guanyu_mpi.errors import Fault
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.node import Shell
from guanyu_mpi.protocol.quorum import STEPS_KEPT
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore
from guanyu_mpi.simulation import Simulated
from guanyu_mpi.transport.participant import Participant


class Watch:
    """Follows every honest node; `violations` says what did not hold, once for each node."""

    def __init__(self, config: Config) -> None:
        self.violations: dict[str, None] = {}
        # The most votes held, as a share of what is allowed.
        self.memory_max = 0.0
        # How often a node went on by more than one step.
        self.skips: dict[Node, int] = defaultdict(int)
        # Honest nodes in the order in which they halted.
        self.halted: list[Node] = []
        self.sent: dict[Node, list[tuple[Sequence[Node], Message]]] = defaultdict(list)
        self._config = config
        self._steps: dict[Node, int] = defaultdict(int)
        self._params: dict[int, list[Vector]] = defaultdict(list)
        self._shells: dict[Node, Shell] = {}

    def on_send(self, sender: Node, receivers: Sequence[Node], message: Message) -> None:
        """Keep what every node says."""
        self.sent[sender].append((receivers, message))

    def on_event(self, participants: dict[Node, Participant]) -> None:
        """Check the honest nodes."""
        if not self._shells:
            honest = set(participants) - self._config.attackers
            shells = ((node, participants[node]) for node in sorted(honest))
            self._shells = {node: shell for node, shell in shells if isinstance(shell, Shell)}
        for node, shell in self._shells.items():
            core = shell.core
            assert isinstance(core, ServerCore | WorkerCore)
            self._check_memory(node, core)
            if core.step != self._steps[node]:
                self._follow(node, core)
            if shell.halt and node not in self.halted:
                self.halted.append(node)

    @property
    def drift_max(self) -> float:
        """Largest distance in any coordinate between honest servers at the same step."""
        spreads = (np.ptp(np.stack(rows), axis=0).max() for rows in self._params.values())
        return float(max(spreads, default=0.0))

    def rejected(self, sender: Node, fault: Fault) -> int:
        """How many frames of a sender honest nodes have dropped for this reason."""
        return sum(shell.faults.get((sender, fault), 0) for shell in self._shells.values())

    def _check_memory(self, node: Node, core: ServerCore | WorkerCore) -> None:
        cluster = self._config.nodes
        senders = cluster.servers + (cluster.workers if node.role is Role.SERVER else 0)
        share = core.votes_held / (STEPS_KEPT * senders)
        self.memory_max = max(self.memory_max, share)
        if share > 1.0:
            self.violations[f"{node} holds more than {STEPS_KEPT} x {senders} votes"] = None

    def _follow(self, node: Node, core: ServerCore | WorkerCore) -> None:
        before, self._steps[node] = self._steps[node], core.step
        self.skips[node] += core.step > before + 1
        if core.step < before:
            self.violations[f"{node} went back to an earlier step"] = None
        if isinstance(core, ServerCore):
            self._params[core.step].append(core.params)


def faults_that_did_not_happen(
    config: Config, watch: Watch, result: Simulated, uncut_s: Sequence[float]
) -> Iterator[str]:
    """What the scenario injects and what nobody noticed.

    `uncut_s` is how long it takes without each of its cuts, in virtual time.
    """
    for node in sorted(config.attackers):
        attack = config.attack.servers if node.role is Role.SERVER else config.attack.workers
        if not _attacked(attack.name, node, watch):
            yield f"{node} did not attack by {attack.name}"
    for name in config.simulation.slow:
        role, index = name.split("-")
        node = Node(Role(role), int(index))
        lagged = watch.skips[node] or result.replaced[node] or watch.halted[-1] == node
        if not lagged:
            yield f"{node} was not slow"
    if config.simulation.delay == "pareto" and not result.replaced:
        yield "no message was late"
    for cut, without_s in zip(config.simulation.partitions, uncut_s, strict=True):
        # All is delivered in the end, so a message that was held back came after the cut.
        if not without_s < cut.end_s <= result.virtual_s:
            yield f"the cut of {', '.join(cut.nodes)} held nothing back"


def _attacked(name: str, node: Node, watch: Watch) -> bool:
    vectors = [message.vector for _, message in watch.sent[node]]
    if name == "mute":
        return not vectors
    if name == "nan":
        silent = not any(np.isfinite(vector).any() for vector in vectors)
        return silent and watch.rejected(node, Fault.NON_FINITE) > 0
    if name == "equivocate" and not _told_different_things(node, watch):
        return False
    return any(_is_lie(message, node, watch) for _, message in watch.sent[node])


def _told_different_things(node: Node, watch: Watch) -> bool:
    said: dict[tuple[type[Message], int], set[bytes]] = defaultdict(set)
    for _, message in watch.sent[node]:
        said[type(message), message.step].add(message.vector.tobytes())
    # Its noise is a share of the honest vector, which can be zero: at step 0, say.
    return sum(len(vectors) > 1 for vectors in said.values()) > len(said) / 2


def _is_lie(message: Message, sender: Node, watch: Watch) -> bool:
    """Whether it is far from what honest nodes of the same role say at that step."""
    rows = [
        other.vector
        for node in watch.halted
        if node.role is sender.role
        for _, other in watch.sent[node]
        if type(other) is type(message) and other.step == message.step
    ]
    if not rows:
        return False
    honest = np.asarray(rows, np.float64)
    mean = honest.mean(axis=0)
    distance = np.linalg.norm(message.vector - mean)
    farthest = np.linalg.norm(honest - mean, axis=1).max()
    # Both: honest servers can agree to the bit, and honest gradients are all noise at the end.
    return bool(distance > max(2 * farthest, np.linalg.norm(mean) / 2))
