"""The frames of a fault: what a receiver's decoder says of them."""

import numpy as np
import pytest

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.errors import Fault, PeerFault
from guanyu_mpi.faults.frames import MAKERS, OVERSIZE_BYTES, SMALL_BYTES, frames
from guanyu_mpi.faults.kinds import KINDS, Injection
from guanyu_mpi.messages import Gradient
from guanyu_mpi.transport.wire import Decoder, Element, Frame, encode

DIMENSION, STEPS = 50, 20
DECODER = Decoder(DIMENSION, STEPS)
HONEST = Gradient(7, np.arange(DIMENSION, dtype=np.float32))
SIZE = encode(HONEST).size
WORKER = Node(Role.WORKER, 3)


def made(kind: str, seed: int = 0, **options: int) -> list[Frame]:
    injection = Injection(WORKER, 7, kind, **{"count": KINDS[kind].count, **options})
    return frames(injection, HONEST, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", MAKERS)
def test_frames_of_a_narrowed_link_are_made_of_narrowed_ones(kind: str) -> None:
    injection = Injection(WORKER, 7, kind, count=4)
    made = frames(injection, HONEST, np.random.default_rng(0), Element.BFLOAT16)
    narrowed = encode(HONEST, Element.BFLOAT16)
    assert not any(frame.size == SIZE for frame in made)
    if kind in ("duplicate", "die-sending"):
        assert {frame.tobytes() for frame in made} == {narrowed.tobytes()}


def verdict(frame: Frame) -> Fault | int:
    """The step of the message in a frame, or what is wrong with it."""
    try:
        return DECODER.decode(frame, Role.WORKER, Role.SERVER).step
    except PeerFault as fault:
        return fault.fault


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("flood-small", Fault.SIZE),
        ("flood-large", Fault.MAGIC),
        ("oversize", Fault.SIZE),
        ("undersize", Fault.SIZE),
        ("wrong-kind", Fault.KIND),
    ],
)
def test_a_bad_frame_is_bad_in_the_way_that_it_is_named_for(kind: str, said: Fault) -> None:
    for seed in range(20):
        # A short frame is refused by its size before anybody decodes it.
        verdicts = {verdict(f) if f.size == SIZE else Fault.SIZE for f in made(kind, seed)}
        assert verdicts == {said}


@pytest.mark.parametrize(
    ("kind", "size_bytes"),
    [
        ("flood-small", SMALL_BYTES),
        ("flood-large", SIZE),
        ("oversize", SIZE + OVERSIZE_BYTES),
        ("undersize", SIZE // 2),
        ("die-sending", SIZE),
    ],
)
def test_a_frame_has_the_size_that_its_kind_is_about(kind: str, size_bytes: int) -> None:
    assert {frame.size for frame in made(kind)} == {size_bytes}


@pytest.mark.parametrize(
    ("kind", "offset_steps", "said"),
    [
        ("future-step", 5, 12),
        ("future-step", 13, Fault.STEP),
        ("past-step", 7, 0),
        ("past-step", 8, Fault.STEP),
    ],
)
def test_a_vote_for_another_step_is_a_vote_as_long_as_there_is_such_a_step(
    kind: str, offset_steps: int, said: Fault | int
) -> None:
    assert [verdict(frame) for frame in made(kind, offset_steps=offset_steps)] == [said]


def test_duplicates_are_the_message_itself() -> None:
    assert [frame.tobytes() for frame in made("duplicate")] == [encode(HONEST).tobytes()] * 5


@pytest.mark.parametrize("element", Element)
def test_a_second_vote_follows_the_honest_one_and_is_its_negative(element: Element) -> None:
    injection = Injection(WORKER, 7, "double-vote", count=3)
    made = frames(injection, HONEST, np.random.default_rng(0), element)
    decoder = Decoder(DIMENSION, STEPS, narrowed=element)
    first, *others = (decoder.decode(frame, Role.WORKER, Role.SERVER) for frame in made)
    assert made[0].tobytes() == encode(HONEST, element).tobytes()
    assert [(type(vote), vote.step) for vote in others] == [(Gradient, 7)] * 3
    assert all((vote.vector == -first.vector).all() for vote in others)


def test_so_many_bits_are_flipped_and_not_all_in_the_vector() -> None:
    (frame,) = made("bit-flips", bits=9)
    flipped = np.unpackbits(frame ^ encode(HONEST))
    # Two flips of one bit undo each other.
    assert flipped.sum() in (9, 7, 5)
    assert flipped[: 32 * 8].any()


def test_garbage_is_as_long_as_a_message_every_other_time_and_never_one() -> None:
    found = made("garbage", count=20)
    assert [frame.size for frame in found[::2]] == [SIZE] * 10
    assert len({frame.size for frame in found}) > 5
    assert all(isinstance(verdict(frame), Fault) for frame in found)


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if "count" in KINDS[kind].options])
def test_there_are_as_many_frames_as_were_asked_for(kind: str) -> None:
    # A second vote is one only beside the first.
    assert len(made(kind, count=4)) == 4 + (kind == "double-vote")


def test_a_flood_takes_the_memory_of_one_frame() -> None:
    assert len({id(frame) for frame in made("flood-large", count=1000)}) == 1


@pytest.mark.parametrize("kind", MAKERS)
def test_the_honest_message_is_not_touched(kind: str) -> None:
    made(kind)
    assert HONEST.vector.tolist() == list(range(DIMENSION))
