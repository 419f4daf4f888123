"""A node as a transport sees it: a protocol node's shell, or the observer."""

from collections.abc import Mapping
from typing import Protocol

from guanyu_mpi.cluster import Node
from guanyu_mpi.errors import Fault
from guanyu_mpi.messages import Message
from guanyu_mpi.protocol.effects import Halt
from guanyu_mpi.protocol.quorum import Wait


class Receiver(Protocol):
    """What a transport hands over to."""

    def deliver(self, sender: Node, message: Message) -> None:
        """Take a checked message."""

    def reject(self, sender: Node, fault: Fault) -> None:
        """Count a bad frame against its sender."""


class Participant(Receiver, Protocol):
    """What both transports drive: messages in, and now and then a long piece of work."""

    @property
    def halt(self) -> Halt | None:
        """How its part ended, once it has."""

    @property
    def step(self) -> int:
        """The step that it has reached."""

    @property
    def waits_for(self) -> tuple[Wait, ...]:
        """What would each let it go on, the most likely first."""

    @property
    def faults(self) -> Mapping[tuple[Node, Fault], int]:
        """How many bad frames of each kind every peer has sent."""

    @property
    def busy(self) -> bool:
        """Whether `compute` has something to do."""

    def start(self) -> None:
        """Act before any message."""

    def vote_no_more(self) -> None:
        """Say nothing more that others could wait for; what they say may still be followed."""

    def compute(self) -> None:
        """Do the long piece of work that is due."""
