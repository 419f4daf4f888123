"""When a rank leaves before the last step, and how all who leave do so at the same one.

A restart needs a step that a quorum of servers has saved, and servers are steps apart. So who
leaves takes no more gradients: it votes for no further step, and goes only where the others'
updates lead. Let M be the q-th highest of the servers' last votes. Nobody gets beyond M + 1, which
would need q votes for M + 1; and everybody who has all votes gets there. No server decides it.
"""

import math
import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Protocol

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import CommunicatorLost, Fault
from guanyu_mpi.messages import Message, Update
from guanyu_mpi.processes import ToldToLeave
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.transport.backoff import Backoff
from guanyu_mpi.transport.participant import Participant, Receiver

# How long a server waits for the others' last votes. Who has not voted by then is not waited for.
AGREE_S = 10.0
# How long a rank that is done serves peers that are not.
LINGER_S = 10.0
# Agreeing, saving and ending take less; by how much more a job leaves early than saving has taken.
MARGIN_S = 30.0
SAVES = 3
# Where the batch system says when a job ends, in seconds since 1970.
END_TIME_ENV = "SLURM_JOB_END_TIME"


class Limit:
    """When a job must be gone: by its configuration or by the batch system, whichever is first."""

    def __init__(
        self,
        wall_time_s: float,
        environment: Mapping[str, str] = os.environ,
        clock_s: Callable[[], float] = time.monotonic,
        date_s: Callable[[], float] = time.time,
    ) -> None:
        end = environment.get(END_TIME_ENV, "")
        left_s = min(wall_time_s or math.inf, int(end) - date_s() if end.isdecimal() else math.inf)
        self._clock_s = clock_s
        self._end_s = clock_s() + left_s
        # Of a short time the greater part is used.
        self._margin_max_s = max(left_s, 0.0) / 2

    def near(self, longest_save_s: float) -> bool:
        """Whether it is time to leave, if saving takes so long."""
        margin_s = max(MARGIN_S, SAVES * longest_save_s)
        return self._clock_s() >= self._end_s - min(margin_s, self._margin_max_s)


class Network(Protocol):
    """A node's links, as who leaves uses them."""

    @property
    def receiving(self) -> bool:
        """Whether a message is arriving."""

    @property
    def all_left(self) -> bool:
        """Whether no peer needs anything of this node any more."""

    @property
    def said_farewell(self) -> bool:
        """Whether every living peer has been told that this node is done."""

    @property
    def leaving(self) -> Collection[Node]:
        """Peers that leave, by their own word."""

    def awaits_votes(self, nodes: Collection[Node]) -> bool:
        """Whether one of these may still vote, or has done so and it is not here yet."""

    def poll(self, participant: Receiver) -> bool:
        """Move what can be moved; whether anything did."""

    def say_leaving(self) -> None:
        """Tell every peer, once, that no vote follows."""

    def say_farewell(self) -> None:
        """Tell every peer, once, that nothing is needed of it."""


class Leaving:
    """Whether one rank is to leave, and its way to the step at which the others leave."""

    def __init__(
        self,
        node: Node,
        cluster: Cluster,
        told: ToldToLeave,
        limit: Limit,
        longest_save_s: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._told = told
        self._limit = limit
        self._longest_save_s = longest_save_s
        self._leaves = False
        servers = cluster.nodes(Role.SERVER) if node.role is Role.SERVER else ()
        self._voters = [server for server in servers if server != node]

    def reason(self, network: Network) -> str:
        """Why to leave, or nothing: a signal, the time, or more peers than can lie."""
        if self._told.by:
            return f"told to by {self._told.by.name}"
        if self._limit.near(self._longest_save_s()):
            return "its time is up"
        leaving = network.leaving
        return "the others leave" if leaving and is_believed(leaving, self._cluster) else ""

    def go(self, network: Network, participant: Participant, reason: str) -> Halt:
        """Vote no more, and follow the others' votes to where they end."""
        self._leaves = True
        participant.vote_no_more()
        backoff = Backoff()
        follower = Hearing(participant, Update)
        deadline_s = time.monotonic() + AGREE_S
        while participant.halt is None and network.awaits_votes(self._voters):
            if time.monotonic() >= deadline_s:
                break
            moved = network.poll(follower)
            network.say_leaving()
            backoff.rest(moved=moved, receiving=network.receiving)
        return participant.halt or Halt(Outcome.LEFT, participant.step, reason)

    def linger(
        self, network: Network, participant: Participant, halt: Halt, answer: Callable[[], None]
    ) -> None:
        """Serve those who are not done yet, until they all are or have had their time."""
        backoff = Backoff()
        # What it has saved, and said of its end, is to stay true.
        receiver = participant if halt.outcome is Outcome.FINISHED else Hearing(participant)
        deadline_s = time.monotonic() + LINGER_S
        # Where no message can be sent any more, nobody can be served.
        with suppress(CommunicatorLost):
            while time.monotonic() < deadline_s:
                moved = network.poll(receiver)
                answer()
                if self._leaves:
                    network.say_leaving()
                network.say_farewell()
                if network.all_left and network.said_farewell:
                    return
                backoff.rest(moved=moved, receiving=network.receiving)


class Hearing:
    """A participant that hears of these kinds of messages alone."""

    def __init__(self, participant: Receiver, *kinds: type[Message]) -> None:
        self._participant = participant
        self._kinds = kinds

    def deliver(self, sender: Node, message: Message) -> None:
        """Hand over a message of these kinds."""
        if isinstance(message, self._kinds):
            self._participant.deliver(sender, message)

    def reject(self, sender: Node, fault: Fault) -> None:
        """Count a bad frame against its sender."""
        self._participant.reject(sender, fault)


def is_believed(leaving: Collection[Node], cluster: Cluster) -> bool:
    """Whether more servers, or more workers, say that they leave than can be Byzantine."""
    return any(
        sum(node.role is role for node in leaving) > cluster.byzantine(role)
        for role in (Role.SERVER, Role.WORKER)
    )
