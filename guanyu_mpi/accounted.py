"""A node's shell of which an account is kept: what the time of its core and ports counts for."""

from dataclasses import replace

from guanyu_mpi.account import Account, Activity
from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.messages import Message
from guanyu_mpi.node import Ports, Shell
from guanyu_mpi.protocol.effects import Core, Effect
from guanyu_mpi.protocol.quorum import Wait


class AccountedCore:
    """A core whose time counts as aggregating."""

    def __init__(self, core: Core, account: Account) -> None:
        self._core = core
        self._account = account

    @property
    def step(self) -> int:
        """The core's step."""
        return self._core.step

    @property
    def waits_for(self) -> tuple[Wait, ...]:
        """What the core waits for."""
        return self._core.waits_for

    def start(self) -> list[Effect]:
        """The core's effects."""
        with self._account.on(Activity.AGGREGATE):
            return self._core.start()

    def receive(self, sender: Node, message: Message) -> list[Effect]:
        """The core's effects."""
        with self._account.on(Activity.AGGREGATE):
            return self._core.receive(sender, message)

    def distrust(self, sender: Node) -> list[Effect]:
        """The core's effects."""
        with self._account.on(Activity.AGGREGATE):
            return self._core.distrust(sender)

    def vote_no_more(self) -> None:
        """Pass it on."""
        self._core.vote_no_more()


def shell(
    node: Node, cluster: Cluster, core: Core, ports: Ports, account: Account | None
) -> Shell:
    """The shell of a node, and what it does kept account of if there is an account."""
    if account is None:
        return Shell(node, cluster, core, ports)
    return Shell(node, cluster, AccountedCore(core, account), accounted(ports, account))


def accounted(ports: Ports, account: Account) -> Ports:
    """The ports; within `send` the network tells what is copying."""
    return replace(
        ports,
        send=account.timed(Activity.SEND, ports.send),
        gradient=account.timed(Activity.COMPUTE, ports.gradient),
        estimate=account.timed(Activity.AGGREGATE, ports.estimate),
        commit=account.timed(Activity.WRITE, ports.commit),
        consumed=account.timed(Activity.WRITE, ports.consumed),
    )
