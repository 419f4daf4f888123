"""The attackers that a configuration wants: who they are, what they know, what they corrupt."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from guanyu_mpi.adversary import Adversary
from guanyu_mpi.attacks import (
    ATTACKS,
    Agreed,
    BoundAttack,
    Combine,
    Crowd,
    bind_attack,
    flipped,
)
from guanyu_mpi.cluster import OBSERVER, Node, Role
from guanyu_mpi.config import Config
from guanyu_mpi.config.aggregators import gradients_aggregator, models_aggregator
from guanyu_mpi.config.experiment import AttackSection
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.models import BatchSource
from guanyu_mpi.protocol.effects import Core
from guanyu_mpi.protocol.quorum import Aggregate
from guanyu_mpi.spy import Ring, Spy

Send: TypeAlias = Callable[[Sequence[Node], Message], None]


class Attackers:
    """Who attacks in a run, and how."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._cluster = config.nodes
        self._nodes = config.attackers
        self._ring = Ring()
        self._agreed: dict[Role, Agreed] = {}
        self.spies = frozenset(
            node for node in self._nodes if ATTACKS[self._section(node.role).name].omniscient
        )

    def corrupted(self, core: Core, node: Node) -> Core:
        """The core itself, or inside an attacker if the experiment wants this node to be one."""
        section = self._section(node.role)
        if node not in self._nodes or ATTACKS[section.name].in_data:
            return core
        role = node.role
        allies = [other for other in self._nodes if other.role is role]
        return Adversary(
            core,
            node,
            self._cluster,
            attack=self._attack(role),
            equivocates=ATTACKS[section.name].equivocates,
            seed=self._config.run.seed,
            crowd=Crowd(
                self._cluster.size(role),
                len(allies),
                self._cluster.quorum(role),
                partial(prepared, self._rule(role)),
            ),
            spy=Spy(node, self._cluster, allies, self._ring) if node in self.spies else None,
        )

    def untold(self, node: Node) -> str:
        """The attack of a node whose lies follow from no trace: of what it overheard or remembers.

        Empty for all others, attackers or not.
        """
        name = self._section(node.role).name
        untold = node in self._nodes and (ATTACKS[name].omniscient or ATTACKS[name].remembers)
        return name if untold else ""

    def overheard(self, node: Node, send: Send) -> Send:
        """What an honest node sends with, so that the spies of its role get what others get.

        Of what servers tell each other they get their part anyway.
        """
        spies = sorted(spy for spy in self.spies if spy.role is node.role)
        if node in self._nodes or not spies:
            return send

        def send_to_all(receivers: Sequence[Node], message: Message) -> None:
            told = {receiver.role for receiver in receivers}
            aside = told and not told & {node.role, OBSERVER.role}
            send([*receivers, *spies] if aside else receivers, message)

        return send_to_all

    def poisoned(self, batches: BatchSource) -> BatchSource:
        """The batches of all workers, flipped for those who attack so."""
        section = self._section(Role.WORKER)
        if not section.name or not ATTACKS[section.name].in_data:
            return batches
        workers = {node.index for node in self._nodes if node.role is Role.WORKER}
        return flipped(batches, workers, **section.options)

    def _attack(self, role: Role) -> BoundAttack:
        """An attacker's own, or that of all of its role, who have agreed on it."""
        section = self._section(role)
        attack = bind_attack(section.name, **section.options)
        if not ATTACKS[section.name].agreed:
            return attack
        return self._agreed.setdefault(role, Agreed(attack))

    def _rule(self, role: Role) -> Aggregate:
        """What combines the vectors of a role, for who asks many times what it makes of them."""
        bound = models_aggregator if role is Role.SERVER else gradients_aggregator
        return bound(self._config.aggregation, self._cluster)

    def _section(self, role: Role) -> AttackSection:
        attack = self._config.attack
        return attack.servers if role is Role.SERVER else attack.workers


def prepared(rule: Aggregate, vectors: Sequence[Vector]) -> Combine:
    """A rule that has seen some of the vectors of the quorums that it is asked of."""
    gathering = rule.gather()
    for vector in vectors:
        gathering.add(vector)
    return gathering.combine
