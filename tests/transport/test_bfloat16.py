"""Laws of the rounding to bfloat16, against a slow reference, and of the frames that hold it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.errors import Fault, PeerFault
from guanyu_mpi.messages import Gradient, Message, Params, Report, Update
from guanyu_mpi.transport.bfloat16 import BLOCK, narrow, widen
from guanyu_mpi.transport.wire import (
    HEADER,
    ROUTES,
    Decoder,
    Element,
    Frame,
    encode,
    frame_bytes,
    travelled,
)

DIMENSION, STEPS, NUMBERS = 3, 10, 5
WHOLE = Decoder(DIMENSION, STEPS, NUMBERS)
SPY = Node(Role.SERVER, 5)
NARROW = Decoder(DIMENSION, STEPS, NUMBERS, frozenset({SPY}), narrowed=Element.BFLOAT16)
NARROWED = [(Role.SERVER, Role.WORKER, Params), (Role.WORKER, Role.SERVER, Gradient)]
KEPT = [
    (Role.SERVER, Role.SERVER, Update),
    (Role.SERVER, Role.OBSERVER, Params),
    (Role.SERVER, Role.OBSERVER, Report),
]
# None of these is a bfloat16.
VALUES = np.array([1.001, -3.14159, 1e-3, 7.7, 0.3], np.float32)


def rounded(vector: np.ndarray) -> np.ndarray:
    halves = np.empty(vector.size, np.uint16)
    narrow(vector, halves)
    return halves


def floats(bits: int) -> np.ndarray:
    return np.array([bits], np.uint32).view(np.float32)


def nearest(bits: int) -> int:
    """The upper half of the neighbour that is nearest, by distances in float64."""
    below = bits & 0xFFFF0000
    above = below + 0x10000
    magnitude = abs(float(floats(bits)[0]))
    down = magnitude - abs(float(floats(below)[0]))
    # What would come after the largest finite one, were there no infinity.
    top = 2.0**128 if above & 0x7FFFFFFF == 0x7F800000 else abs(float(floats(above)[0]))
    up = top - magnitude
    even = below if (below >> 16) % 2 == 0 else above
    return (below if down < up else above if up < down else even) >> 16


@settings(deadline=None, max_examples=300)
@given(sign=st.booleans(), rest=st.integers(0, 0x7F7FFFFF))
def test_every_finite_number_becomes_the_nearest_and_of_two_the_even_one(
    sign: bool, rest: int
) -> None:
    bits = sign << 31 | rest
    assert rounded(floats(bits)).tolist() == [nearest(bits)]


@pytest.mark.parametrize("place", [0x3F80, 0x3F81, 0x0000, 0x7F7F])
def test_half_of_the_last_place_goes_to_the_even_neighbour(place: int) -> None:
    around = [rounded(floats(place << 16 | low))[0] for low in (0x7FFF, 0x8000, 0x8001)]
    assert around == [place, place + place % 2, place + 1]


def test_what_is_a_bfloat16_already_stays_as_it_is() -> None:
    """All 65,536 of them; of NaN that it is one, and its sign."""
    halves = np.arange(2**16, dtype=np.uint16)
    vector = widen(halves)
    nan = np.isnan(vector)
    assert nan.sum() == 2 * 127
    back = rounded(vector)
    assert np.array_equal(back[~nan], halves[~nan])
    assert np.isnan(widen(back)[nan]).all()
    assert np.array_equal(back[nan] >> 15, halves[nan] >> 15)


@pytest.mark.parametrize("bits", [0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000])
def test_no_nan_becomes_a_number_or_an_infinity(bits: int) -> None:
    assert np.isnan(widen(rounded(floats(bits)))).all()


def test_blocks_of_a_long_vector_are_rounded_alike() -> None:
    vector = np.random.default_rng(3).standard_normal(2 * BLOCK + 7).astype(np.float32)
    vector[BLOCK] = np.nan
    one_by_one = [rounded(vector[k : k + 1])[0] for k in range(BLOCK - 5, BLOCK + 5)]
    assert rounded(vector)[BLOCK - 5 : BLOCK + 5].tolist() == one_by_one
    assert rounded(vector)[-3:].tolist() == rounded(vector[-3:]).tolist()


def frame_of(kind: type[Message], element: Element) -> Frame:
    size = NUMBERS if kind is Report else DIMENSION
    return encode(kind(4, VALUES[:size]), element)


def fault_of(decoder: Decoder, frame: Frame, sender: Role, receiver: Role) -> Fault:
    with pytest.raises(PeerFault) as caught:
        decoder.decode(frame, sender, receiver)
    return caught.value.fault


@pytest.mark.parametrize(("sender", "receiver", "kind"), NARROWED)
def test_to_and_from_workers_a_vector_takes_half_the_bytes(
    sender: Role, receiver: Role, kind: type[Message]
) -> None:
    frame = frame_of(kind, NARROW.element(kind, receiver))
    assert frame.size == HEADER.size + 2 * DIMENSION == frame_bytes(DIMENSION, Element.BFLOAT16)
    assert NARROW.frame_sizes(sender, receiver) >= {frame.size}
    message = NARROW.decode(frame, sender, receiver)
    expected = travelled(VALUES[:DIMENSION], Element.BFLOAT16)
    assert message.step == 4
    assert message.vector.dtype == np.float32
    assert message.vector.tobytes() == expected.tobytes()
    assert 0 < np.abs(message.vector / VALUES[:DIMENSION] - 1).max() < 2**-8


@pytest.mark.parametrize(("sender", "receiver", "kind"), KEPT)
def test_between_servers_and_to_the_observer_it_arrives_to_the_bit(
    sender: Role, receiver: Role, kind: type[Message]
) -> None:
    assert NARROW.element(kind, receiver) is Element.FLOAT32
    message = NARROW.decode(frame_of(kind, Element.FLOAT32), sender, receiver)
    assert message.vector.tobytes() == VALUES[: message.vector.size].tobytes()


def test_every_route_is_one_or_the_other() -> None:
    routes = {(*route, kind) for route, kinds in ROUTES.items() for kind in kinds}
    assert routes == {*NARROWED, *KEPT}


def test_a_spy_overhears_what_workers_are_sent() -> None:
    frame = frame_of(Params, NARROW.element(Params, Role.WORKER))
    assert frame.size in NARROW.frame_sizes(Role.SERVER, Role.SERVER)
    assert NARROW.decode(frame, Role.SERVER, Role.SERVER, spying=True).step == 4


@pytest.mark.parametrize(("sender", "receiver", "kind"), NARROWED)
def test_a_frame_of_the_other_type_is_rejected(
    sender: Role, receiver: Role, kind: type[Message]
) -> None:
    whole, narrowed = (frame_of(kind, element) for element in Element)
    assert fault_of(NARROW, whole, sender, receiver) is Fault.MAGIC
    assert fault_of(WHOLE, narrowed, sender, receiver) is Fault.MAGIC


@pytest.mark.parametrize(("sender", "receiver", "kind"), KEPT)
def test_a_vector_that_may_not_be_narrowed_is_rejected_if_it_is(
    sender: Role, receiver: Role, kind: type[Message]
) -> None:
    assert fault_of(NARROW, frame_of(kind, Element.BFLOAT16), sender, receiver) is Fault.MAGIC


@pytest.mark.parametrize(("sender", "receiver", "kind"), NARROWED)
@pytest.mark.parametrize("size", [31, 32, 37, 39, 44])
def test_a_narrowed_frame_of_another_size_is_rejected(
    sender: Role, receiver: Role, kind: type[Message], size: int
) -> None:
    frame = np.resize(frame_of(kind, Element.BFLOAT16), size)
    assert fault_of(NARROW, frame, sender, receiver) is Fault.SIZE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, floats(0x7F800001)[0]])
def test_a_narrowed_vector_that_is_not_finite_is_rejected(value: float) -> None:
    vector = np.array([1.0, value, 2.0], np.float32)
    frame = encode(Gradient(4, vector), Element.BFLOAT16)
    assert fault_of(NARROW, frame, Role.WORKER, Role.SERVER) is Fault.NON_FINITE
