"""Frames that break the protocol, before a server that averages: which check keeps each out.

A worker sends them before its honest vote and again after it; all others vote later. The frames
are those of the faults, and go through the decoder and the core that an MPI run has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
import pytest
from attack_harness import server, worker

from guanyu_mpi.aggregation import bind
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import Fault
from guanyu_mpi.faults.frames import frames
from guanyu_mpi.faults.kinds import Injection
from guanyu_mpi.messages import Gradient, Message, Vector
from guanyu_mpi.protocol.effects import Commit, Effect
from guanyu_mpi.protocol.quorum import Inbox
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.transport.wire import KINDS, Decoder, Frame, encode, frame_bytes

DIMENSION, WORKERS, STEPS = 20, 6, 20
CLUSTER = Cluster(1, 0, 1, WORKERS, 0, WORKERS)
DECODER = Decoder(DIMENSION, STEPS)
SIZE_BYTES = frame_bytes(DIMENSION)
SERVER, STRUCK = server(0), worker(WORKERS - 1)
HONEST = tuple(worker(index) for index in range(WORKERS - 1))
# The step at which the server is.
STEP = 7

# What is shipped, before a check is taken out.
DECODE, OFFER = Decoder.decode, Inbox.offer


def gradient(node: Node, step: int) -> Gradient:
    """Another one of every worker at every step."""
    rng = np.random.default_rng([node.index, step])
    return Gradient(step, rng.standard_normal(DIMENSION, dtype=np.float32))


class Server:
    """A core at STEP that waits for all workers and averages what they say."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self.rejected: list[Fault] = []
        self._core = ServerCore(
            SERVER,
            CLUSTER,
            params=np.zeros(DIMENSION, np.float32),
            step=STEP,
            steps=STEPS,
            rate=lambda _: 0.5,
            gar=bind("average", n=WORKERS, f=0),
            contraction=bind("average", n=1, f=0),
        )
        self._follow(self._core.start())

    def take(self, sender: Node, *sent: Frame) -> None:
        for frame in sent:
            DECODER.hand_over(frame, sender, SERVER, self)

    def deliver(self, sender: Node, message: Message) -> None:
        self._follow(self._core.receive(sender, message))

    def reject(self, _: Node, fault: Fault) -> None:
        self.rejected.append(fault)

    def _follow(self, effects: Sequence[Effect]) -> None:
        self.commits += [effect for effect in effects if isinstance(effect, Commit)]


def after_steps(told: Sequence[Frame], steps: int = 1) -> Server:
    """What becomes of a server that is told this around a worker's first honest vote."""
    server = Server()
    server.take(STRUCK, *told, encode(gradient(STRUCK, STEP)), *told)
    for step in range(STEP, STEP + steps):
        # At the first it has voted.
        for node in HONEST if step == STEP else (STRUCK, *HONEST):
            server.take(node, encode(gradient(node, step)))
    return server


def params(server: Server) -> list[bytes]:
    """The parameters of each step that it has reached, to the bit."""
    return [commit.params.tobytes() for commit in server.commits]


def counted_as_anothers(inbox: Inbox, sender: Node, step: int, vector: Vector) -> None:
    twice = step in inbox._votes.get(sender, {})
    OFFER(inbox, Node(sender.role, sender.index + 100) if twice else sender, step, vector)


def last_word_counts(inbox: Inbox, sender: Node, step: int, vector: Vector) -> None:
    inbox._votes.get(sender, {}).pop(step, None)
    OFFER(inbox, sender, step, vector)


def any_step_is_now(inbox: Inbox, sender: Node, _: int, vector: Vector) -> None:
    OFFER(inbox, sender, inbox.first_step, vector)


def any_kind_from_anyone(*_: object, **__: object) -> tuple[type[Message], ...]:
    return tuple(KINDS.values())


def into_a_buffer(
    decoder: Decoder, frame: Frame, sender: Role, receiver: Role, *, spying: bool = False
) -> Message:
    """As a receive leaves it that looks at no length; before, there was nothing but zeros."""
    buffer = np.zeros(SIZE_BYTES, np.uint8)
    buffer[: frame.size] = frame
    return DECODE(decoder, buffer, sender, receiver, spying=spying)


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, of what was sent at a step; the check against it, and what a server is without.

    `rejected` is what the frames are counted as, if the decoder is what refuses them. Which wrong
    kind is sent depends on the seed.
    """

    kind: str
    unchecked: tuple[type[object], str, Callable[..., object]]
    rejected: list[Fault] = field(default_factory=list)
    sent_at: int = STEP
    options: dict[str, int] = field(default_factory=dict)
    seed: int = 0

    def frames(self) -> list[Frame]:
        injection = Injection(STRUCK, STEP, self.kind, **self.options)
        rng = np.random.default_rng(self.seed)
        return frames(injection, gradient(STRUCK, self.sent_at), rng)


BEFORE = STEP - 1
ONE_VOTE = (Inbox, "offer", counted_as_anothers)
FIRST_VOTE = (Inbox, "offer", last_word_counts)
ITS_STEP = (Inbox, "offer", any_step_is_now)
ITS_KIND = (Decoder, "_kinds", any_kind_from_anyone)
ITS_SIZE = (Decoder, "decode", into_a_buffer)

CASES = (
    Case("duplicate", ONE_VOTE),
    Case("double-vote", ONE_VOTE),
    Case("double-vote", FIRST_VOTE),
    Case("past-step", ITS_STEP, sent_at=BEFORE),
    Case("future-step", ITS_STEP, sent_at=BEFORE),
    # An update, which is what servers tell each other.
    Case("wrong-kind", ITS_KIND, [Fault.KIND], seed=4),
    Case("undersize", ITS_SIZE, [Fault.SIZE]),
)
of_each = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}")


@of_each
def test_a_frame_that_breaks_the_protocol_changes_no_bit_of_the_average(case: Case) -> None:
    told = after_steps(case.frames())
    assert params(told) == params(after_steps([]))
    assert len(params(told)) == 1
    assert told.rejected == 2 * case.rejected


@of_each
def test_without_the_check_against_it_the_average_is_another(case: Case) -> None:
    with patch.object(*case.unchecked):
        undisturbed = params(after_steps([]))
        (now, *_) = params(after_steps(case.frames()))
    assert undisturbed == params(after_steps([]))
    assert [now] != undisturbed


def test_an_oversize_frame_is_refused_and_fits_no_buffer() -> None:
    """Unchecked, it would be written behind it: it is not the average that suffers."""
    case = Case("oversize", ITS_SIZE, [Fault.SIZE])
    told = after_steps(case.frames())
    assert told.rejected == 2 * case.rejected
    assert params(told) == params(after_steps([]))
    with patch.object(*case.unchecked), pytest.raises(ValueError, match="could not broadcast"):
        after_steps(case.frames())


def test_a_vote_for_a_later_step_is_its_senders_vote_when_that_comes() -> None:
    """One lie of one node: it does not count beside the honest vote, but instead of it."""
    early = Case("future-step", ITS_STEP, sent_at=BEFORE, options={"offset_steps": 2})
    now, later = params(after_steps(early.frames(), 2))
    honest = params(after_steps([], 2))
    lie = Gradient(STEP + 1, gradient(STRUCK, BEFORE).vector)
    assert [now, later] == params(after_steps([encode(lie)], 2))
    assert now == honest[0]
    assert later != honest[1]
