"""What is on its way from and to a node, and which of its peers are there; for those who watch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from guanyu_mpi.cluster import Node


class Link(Protocol):
    """A peer as its transport knows it."""

    @property
    def sending(self) -> object:
        """What is on its way to it, if anything."""

    @property
    def receiving(self) -> object:
        """What is arriving from it, if anything."""

    @property
    def gone(self) -> bool:
        """Whether it has been reported dead."""

    @property
    def has_left(self) -> bool:
        """Whether it has said that it needs nothing more."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Peers that a message is on its way to or from, and peers that MPI has reported dead (`gone`)
    or that need nothing more (`left`); `replaced` counts messages that a newer one replaced.
    """

    sending: Sequence[Node] = ()
    receiving: Sequence[Node] = ()
    gone: Sequence[Node] = ()
    left: Sequence[Node] = ()
    replaced: int = 0


def traffic_on(links: Mapping[Node, Link], replaced: int) -> Traffic:
    """The traffic on all links of a node."""
    return Traffic(
        sending=[node for node, link in links.items() if link.sending],
        receiving=[node for node, link in links.items() if link.receiving],
        gone=[node for node, link in links.items() if link.gone],
        left=[node for node, link in links.items() if link.has_left],
        replaced=replaced,
    )
