"""What a core asks its shell to do. Effects are performed one after another, in the order given.

A quorum comes before every send that follows from it: who has been told of a result can be told
how it came about. Sends come before the commit of the same step: the others can compute while this
node writes.

No message may be delivered to the core until the effects of the last one have been performed:
a server must have committed step t before it can vote on step t + 1.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.protocol.quorum import Products, Quorum, Wait


@dataclass(frozen=True, slots=True, eq=False)
class Broadcast:
    """Send a message to every node of a role except oneself."""

    message: Message
    to: Role


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    """Send a message to one node; an honest core only broadcasts."""

    message: Message
    receiver: Node


@dataclass(frozen=True, slots=True, eq=False)
class Consumed:
    """The node has combined a quorum of votes of a kind; to be written down.

    `result` (d,) is what it goes on with: of Params their median, of gradients the server's own
    update (between contractions its new params as well), of updates its new params. `adopted` are
    updates without the server's own vote.
    """

    kind: type[Message]
    quorum: Quorum
    result: Vector
    adopted: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ComputeGradient:
    """Compute a stochastic gradient at params, and deliver it to the core as its own Gradient."""

    step: int
    params: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """The server has finished a step: params are theta_step, and who they were made from.

    `gradients` is empty where the server adopted the others' updates without its own vote,
    `updates` between contractions, where it goes on with its own.
    """

    step: int
    params: Vector
    gradients: tuple[Node, ...]
    updates: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Aggregated:
    """The server has combined a quorum's gradients; for those who watch.

    Gradients (d,) are in the order of their senders, and nobody may write into them. `products`
    are theirs, if the rule has taken them.
    """

    step: int
    senders: tuple[Node, ...]
    gradients: tuple[Vector, ...]
    aggregate: Vector
    products: Products | None = None


class Outcome(Enum):
    """How a node's part in a run ended."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"
    # Before the last step, because it was told to; what it has is saved.
    LEFT = "left"


@dataclass(frozen=True, slots=True, eq=False)
class Halt:
    """The node has nothing more to do; always the last effect of a core."""

    outcome: Outcome
    step: int
    reason: str


Effect: TypeAlias = Broadcast | Send | Consumed | ComputeGradient | Aggregated | Commit | Halt


class Core(Protocol):
    """A node's part in the protocol, as its shell sees it."""

    @property
    def step(self) -> int:
        """The step that it has reached."""

    @property
    def waits_for(self) -> tuple[Wait, ...]:
        """What would each let it go on, the most likely first; nothing if it does not wait."""

    def start(self) -> list[Effect]:
        """First effects, before any message."""

    def receive(self, sender: Node, message: Message) -> list[Effect]:
        """Effects of a message whose vector is finite; the sender is authenticated."""

    def distrust(self, sender: Node) -> list[Effect]:
        """Effects of learning that a sender has sent a vector that is not finite."""

    def vote_no_more(self) -> None:
        """Broadcast no update of its own from now on, and follow those of the others."""
