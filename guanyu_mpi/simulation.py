"""The simulator's root: all nodes of a run in one process, in virtual time, training for real."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from guanyu_mpi.assembly import Assembly
from guanyu_mpi.cluster import OBSERVER, Node
from guanyu_mpi.config import Config
from guanyu_mpi.config.conditions import conditions
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.messages import Message
from guanyu_mpi.observer import Observation, Observer
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.transport.participant import Participant
from guanyu_mpi.transport.sim import SimNetwork


@dataclass(frozen=True, slots=True)
class Simulated:
    """How a simulated run ended; `trace_hash` is equal for equal configurations.

    `replaced` counts, by receiver, the messages that a newer one replaced.
    """

    halts: dict[Node, Halt]
    observation: Observation | None
    virtual_s: float
    num_events: int
    replaced: Counter[Node]
    trace_hash: str

    def unfinished(self, config: Config) -> list[Node]:
        """Honest nodes that did not reach the last step; the observer counts as one."""
        return sorted(
            node
            for node in set(config.nodes) - config.attackers
            if not _has_finished(node, self.halts)
        )


def simulate(
    config: Config,
    run_dir: Path | None = None,
    on_event: Callable[[dict[Node, Participant]], None] | None = None,
    on_send: Callable[[Node, Sequence[Node], Message], None] | None = None,
) -> Simulated:
    """Run a configuration in virtual time until everyone is done or nothing can happen any more.

    `on_event` sees all participants after every event, `on_send` every message that a node wants
    to send, before a newer one can replace it. Metrics and checkpoints are written as an MPI run
    writes them, if there is a directory.
    """
    assembly = Assembly(config, run_dir)
    cluster = assembly.cluster
    # As in a job: all have read the checkpoints before any of them writes.
    for node in cluster:
        assembly.prepare(node)
    network = SimNetwork(
        cluster, assembly.decoder, conditions(cluster, config.simulation), config.run.seed
    )

    def send(sender: Node, receivers: Sequence[Node], message: Message) -> None:
        if on_send:
            on_send(sender, receivers, message)
        network.send(sender, receivers, message)

    participants = {
        node: assembly.participant(node, send=partial(send, node), clock_s=lambda: network.now_s)
        for node in cluster
    }
    for node, participant in participants.items():
        network.join(node, participant)
    while network.step():
        if on_event:
            on_event(participants)
    halts = {node: part.halt for node, part in participants.items() if part.halt}
    finished = [saving for node, saving in assembly.savings.items() if _has_finished(node, halts)]
    if faults := [fault for saving in finished if (fault := saving.fault())]:
        raise CheckpointError("\n".join(faults))
    observer = participants[OBSERVER]
    return Simulated(
        halts=halts,
        observation=observer.last if isinstance(observer, Observer) else None,
        virtual_s=network.now_s,
        num_events=network.num_events,
        replaced=network.replaced,
        trace_hash=network.trace_hash,
    )


def _has_finished(node: Node, halts: Mapping[Node, Halt]) -> bool:
    return node in halts and halts[node].outcome is Outcome.FINISHED
