"""A whole job of shipped shells, cores and links, to which anything may happen; see chaos_action.

The links are those of both transports: an Outbox per sender, one frame in flight per link, which
is in flight until its receiver has taken it. Frames are encoded and checked as MPI's are.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from chaos_disk import Disk, Restored
from chaos_laws import Laws
from chaos_links import Links
from chaos_plan import Plan
from chaos_problem import bound_attack, bound_rule, gradient, initial_params

from guanyu_mpi.adversary import Adversary
from guanyu_mpi.attacks import ATTACKS
from guanyu_mpi.cluster import OBSERVER, Node, Role
from guanyu_mpi.errors import Fault, PeerFault
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.node import Ports, Shell
from guanyu_mpi.protocol.effects import Aggregated, Commit, Core
from guanyu_mpi.protocol.quorum import Aggregate
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore
from guanyu_mpi.transport.wire import Decoder, Frame, encode


class DeadError(Exception):
    """A node has died between two effects."""


class World:
    """All nodes of a job, from start to start; Byzantine ones are not checked."""

    def __init__(self, plan: Plan, counts: Counter[str]) -> None:
        self.plan = plan
        self.counts = counts
        self.paused: set[Node] = set()
        self.side: frozenset[Node] = frozenset()
        self.dead: set[Node] = set()
        self.faulty = True
        self.disk = Disk(plan)
        self.laws = Laws(plan, self.counts)
        self._decoder = Decoder(plan.dimension, plan.steps, contract_every=plan.contract_every)
        # How many more sends are performed before a node dies.
        self.sends_left: tuple[Node, int] | None = None
        self.begin()

    def end(self) -> None:
        """Count what is known only at the end of a life."""
        self.counts["messages replaced"] += self.links.replaced

    def block(self) -> None:
        """Tell the links what a cut or a pause means for them."""
        for link in self.links.all():
            cut = (link.sender in self.side) != (link.receiver in self.side)
            link.closed = cut or link.receiver in self.paused

    def begin(self, *, damaged: bool = False) -> None:
        """Start the job, from the checkpoints if there are any."""
        cluster = self.plan.cluster
        self.links = Links(cluster.nodes(Role.SERVER) + cluster.nodes(Role.WORKER))
        self.block()
        self.shells: dict[Node, Shell] = {}
        self.laws.begin()
        held = self.disk.valid()
        restored = {node: self.disk.resume(node.index) for node in cluster.nodes(Role.SERVER)}
        self.laws.restored(restored, held, self.disk, damaged=damaged)
        for node, found in restored.items():
            self._join(node, self._server(node, found))
        for node in cluster.nodes(Role.WORKER):
            rule = self._rule("median", Role.SERVER, node)
            self._join(node, WorkerCore(node, cluster, steps=self.plan.steps, contraction=rule))
        for node, shell in self.shells.items():
            shell.start()
            self.laws.check(node)

    def _server(self, node: Node, found: Restored) -> ServerCore:
        plan = self.plan
        return ServerCore(
            node,
            plan.cluster,
            params=initial_params(plan.dimension) if found.params is None else found.params,
            step=found.step,
            steps=plan.steps,
            rate=lambda _: plan.rate,
            gar=self._rule(plan.gar, Role.WORKER, node),
            contraction=self._rule("median", Role.SERVER, node),
            contract_every=plan.contract_every,
        )

    def _rule(self, name: str, voters: Role, node: Node) -> Aggregate:
        cluster = self.plan.cluster
        rule = bound_rule(name, cluster.quorum(voters), cluster.byzantine(voters))
        return rule if node in self.plan.attacks else self.laws.watched(node, voters, rule)

    def _join(self, node: Node, core: ServerCore | WorkerCore) -> None:
        self.laws.join(node, core)
        ports = Ports(
            send=partial(self._send, node),
            gradient=partial(self._gradient, node),
            estimate=partial(self._aggregated, node),
            commit=partial(self._commit, node),
            rejected=self._rejected,
            halted=partial(self.laws.halted, node),
            observe_every=1,
            steps=self.plan.steps,
        )
        self.shells[node] = Shell(node, self.plan.cluster, self._corrupted(node, core), ports)

    def _corrupted(self, node: Node, core: Core) -> Core:
        name = self.plan.attacks.get(node, "none")
        if name == "none":
            return core
        return Adversary(
            core,
            node,
            self.plan.cluster,
            attack=bound_attack(name),
            equivocates=ATTACKS[name].equivocates,
            seed=self.plan.seed,
        )

    def _send(self, node: Node, receivers: Sequence[Node], message: Message) -> None:
        if receivers and receivers[0] == OBSERVER:
            return
        self.laws.said(node, receivers, message)
        if node in self.plan.attacks and self.plan.quiet and not self.faulty:
            return
        frame = encode(message)
        outbox = self.links.outbox(node)
        for receiver in receivers:
            self._burn(node)
            if not self.dead or receiver not in self.dead:
                self.links.send(outbox, node, receiver, frame)

    def _burn(self, node: Node) -> None:
        if self.sends_left is None or self.sends_left[0] != node:
            return
        if self.sends_left[1] == 0:
            raise DeadError
        self.sends_left = node, self.sends_left[1] - 1

    def _gradient(self, node: Node, params: Vector, step: int) -> Vector:
        return gradient(params, node, step)

    def _aggregated(self, node: Node, aggregated: Aggregated) -> None:
        self.laws.aggregated(node, aggregated)

    def _commit(self, node: Node, commit: Commit) -> None:
        self._burn(node)
        self.laws.committed(node, commit)
        self.disk.save(node.index, commit.step, commit.params)

    def _rejected(self, sender: Node, fault: Fault, times: int) -> None:
        del times
        self.laws.rejected(sender)
        self.counts[f"rejected: {fault.value}"] += 1

    def arrive(self, sender: Node, receiver: Node, frame: Frame) -> None:
        """Hand a frame over, check what its receiver does, and let it work if it has to."""
        shell = self.shells[receiver]
        try:
            message = self._decoder.decode(frame, sender.role, receiver.role)
        except PeerFault as fault:
            shell.reject(sender, fault.fault)
        else:
            self.laws.heard(receiver, sender, message)
            shell.deliver(sender, message)
        self.laws.check(receiver)
        if shell.busy:
            self.links.work(receiver)

    def may_die(self, node: Node) -> bool:
        """Whether no more than f nodes of its role are dead or Byzantine then."""
        gone = {*self.dead, *self.plan.attacks, node}
        alike = sum(other.role is node.role for other in gone)
        return node not in self.dead and alike <= self.plan.cluster.byzantine(node.role)
