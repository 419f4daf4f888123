"""Laws of the wire: honest frames arrive to the bit, and each wrong one is told apart."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.errors import Fault, PeerFault
from guanyu_mpi.messages import Gradient, Message, Params, Report, Update
from guanyu_mpi.protocol.effects import Halt
from guanyu_mpi.transport.wire import (
    CODES,
    HEADER,
    ROUTES,
    Decoder,
    Frame,
    encode,
    frame_bytes,
)

DIMENSION, STEPS, NUMBERS = 3, 10, 5
DECODER = Decoder(DIMENSION, STEPS, NUMBERS)
PAIRS = [(sender, receiver) for sender in Role for receiver in Role]
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)

# Who sends what to whom.
LEGAL = [(*route, kind) for route, kinds in ROUTES.items() for kind in kinds]

every_route = pytest.mark.parametrize(
    ("sender", "receiver", "kind"),
    LEGAL,
    ids=lambda part: part.value if isinstance(part, Role) else part.__name__,
)


def size_of(kind: type[Message]) -> int:
    return NUMBERS if kind is Report else DIMENSION


def honest(kind: type[Message], step: int = 4) -> Frame:
    return encode(kind(step, np.array([1.0, -2.0, 0.5, 3.0, 4.0], np.float32)[: size_of(kind)]))


def last_step(kind: type[Message]) -> int:
    return STEPS if kind is Params else STEPS - 1


def fault_of(frame: Frame, sender: Role, receiver: Role) -> Fault:
    with pytest.raises(PeerFault) as caught:
        DECODER.decode(frame, sender, receiver)
    return caught.value.fault


def overwritten(frame: Frame, position: int, *values: int) -> Frame:
    frame[position : position + len(values)] = values
    return frame


def test_a_message_arrives_to_the_bit() -> None:
    vector = np.array([-0.0, 1e-45, np.finfo(np.float32).max], np.float32)
    message = DECODER.decode(encode(Update(7, vector)), Role.SERVER, Role.SERVER)
    assert isinstance(message, Update)
    assert message.step == 7
    assert message.vector.tobytes() == vector.tobytes()


@every_route
@settings(deadline=None)
@given(values=st.lists(FINITE, min_size=5, max_size=5), step=st.integers(0, STEPS - 1))
def test_every_finite_vector_of_every_step_makes_the_round_trip(
    sender: Role, receiver: Role, kind: type[Message], values: list[float], step: int
) -> None:
    vector = np.array(values[: size_of(kind)], np.float32)
    message = DECODER.decode(encode(kind(step, vector)), sender, receiver)
    assert type(message) is kind
    assert (message.step, message.vector.tobytes()) == (step, vector.tobytes())


def test_the_vector_of_a_decoded_message_is_a_view_of_its_frame() -> None:
    frame = honest(Params)
    message = DECODER.decode(frame, Role.SERVER, Role.WORKER)
    assert np.shares_memory(message.vector, frame)


def test_encoding_copies_the_vector() -> None:
    vector = np.zeros(3, np.float32)
    frame = encode(Params(0, vector))
    vector[:] = 9.0
    message = DECODER.decode(frame, Role.SERVER, Role.WORKER)
    assert message.vector.tolist() == [0.0] * 3


def test_the_vector_begins_where_a_float_may() -> None:
    assert HEADER.size % 4 == 0
    assert frame_bytes(DIMENSION) == HEADER.size + 12


@every_route
def test_the_first_and_the_last_step_are_accepted(
    sender: Role, receiver: Role, kind: type[Message]
) -> None:
    for step in (0, last_step(kind)):
        assert DECODER.decode(honest(kind, step), sender, receiver).step == step


@every_route
def test_updates_are_of_steps_at_which_servers_contract_and_of_no_other(
    sender: Role, receiver: Role, kind: type[Message]
) -> None:
    """An honest server has sent none; a Byzantine one brings nothing about by it."""
    decoder = Decoder(DIMENSION, STEPS, NUMBERS, contract_every=4)
    for step in range(STEPS):
        if kind is not Update or step in (3, 7, 9):
            assert decoder.decode(honest(kind, step), sender, receiver).step == step
            continue
        with pytest.raises(PeerFault) as caught:
            decoder.decode(honest(kind, step), sender, receiver)
        assert caught.value.fault is Fault.STEP


@every_route
@pytest.mark.parametrize("size", [0, 1, 31, 32, 43, 45, 51, 53, 4096])
def test_a_frame_of_another_size_is_rejected(
    sender: Role, receiver: Role, kind: type[Message], size: int
) -> None:
    frame = np.resize(honest(kind), size)
    assert fault_of(frame, sender, receiver) is Fault.SIZE


@every_route
def test_a_frame_that_states_another_dimension_is_rejected(
    sender: Role, receiver: Role, kind: type[Message]
) -> None:
    frame = honest(kind)
    header = [*HEADER.unpack_from(frame.data)[:5], size_of(kind) + 1]
    HEADER.pack_into(frame.data, 0, *header)
    assert fault_of(frame, sender, receiver) is Fault.SIZE


@every_route
@pytest.mark.parametrize(
    "corrupt",
    [
        lambda frame: overwritten(frame, 0, ord("X")),
        lambda frame: overwritten(frame, 4, 2),
        lambda frame: overwritten(frame, 7, 1),
    ],
    ids=["magic", "version", "element type"],
)
def test_a_frame_of_another_program_version_or_type_is_rejected(
    sender: Role, receiver: Role, kind: type[Message], corrupt: Callable[[Frame], Frame]
) -> None:
    assert fault_of(corrupt(honest(kind)), sender, receiver) is Fault.MAGIC


@every_route
def test_only_the_kinds_of_the_route_are_accepted(
    sender: Role, receiver: Role, kind: type[Message]
) -> None:
    accepted = {CODES[accepted] for accepted in ROUTES[sender, receiver]}
    for code in set(range(256)) - accepted:
        frame = overwritten(honest(kind), 6, code)
        assert fault_of(frame, sender, receiver) is Fault.KIND
    assert type(DECODER.decode(honest(kind), sender, receiver)) is kind


def test_only_the_observer_is_sent_more_than_one_kind() -> None:
    """Votes of one kind on a link are in order; that a later one stands in rests on it."""
    assert [route for route, kinds in ROUTES.items() if len(kinds) > 1] == [
        (Role.SERVER, Role.OBSERVER)
    ]


@pytest.mark.parametrize(("kind", "other"), [(Params, Report), (Report, Params)])
def test_a_kind_with_the_numbers_of_another_is_rejected(
    kind: type[Message], other: type[Message]
) -> None:
    frame = encode(kind(4, np.zeros(size_of(other), np.float32)))
    assert fault_of(frame, Role.SERVER, Role.OBSERVER) is Fault.SIZE


def test_frames_have_the_sizes_of_what_may_be_sent() -> None:
    sizes = {frame_bytes(DIMENSION), frame_bytes(NUMBERS)}
    assert DECODER.frame_sizes(Role.SERVER, Role.OBSERVER) == sizes
    assert DECODER.frame_sizes(Role.WORKER, Role.SERVER) == {frame_bytes(DIMENSION)}
    assert DECODER.frame_sizes(Role.WORKER, Role.OBSERVER) == set()


@pytest.mark.parametrize("kind", [Params, Gradient, Update, Report])
def test_nothing_is_accepted_between_roles_that_have_nothing_to_say(kind: type[Message]) -> None:
    frame = encode(kind(0, np.zeros(3, np.float32)))
    for sender, receiver in set(PAIRS) - set(ROUTES):
        assert fault_of(frame, sender, receiver) is Fault.KIND


@every_route
@pytest.mark.parametrize("beyond", [-(2**63), -1, 1, 2**63 - 1 - STEPS])
def test_a_step_outside_the_run_is_rejected(
    sender: Role, receiver: Role, kind: type[Message], beyond: int
) -> None:
    step = beyond if beyond < 0 else last_step(kind) + beyond
    assert fault_of(honest(kind, step), sender, receiver) is Fault.STEP


@every_route
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", range(DIMENSION))
def test_a_vector_that_is_not_finite_is_rejected(
    sender: Role, receiver: Role, kind: type[Message], value: float, position: int
) -> None:
    vector = np.zeros(size_of(kind), np.float32)
    vector[position] = value
    frame = encode(kind(4, vector))
    assert fault_of(frame, sender, receiver) is Fault.NON_FINITE


def test_infinities_that_cancel_are_rejected() -> None:
    frame = encode(Params(0, np.array([np.inf, -np.inf, 0.0], np.float32)))
    assert fault_of(frame, Role.SERVER, Role.WORKER) is Fault.NON_FINITE


def test_a_finite_vector_whose_sum_overflows_is_accepted() -> None:
    frame = encode(Params(0, np.full(3, 3e38, np.float32)))
    assert DECODER.decode(frame, Role.SERVER, Role.WORKER).vector.tolist()[0] > 2e38


def test_a_fault_says_what_was_seen() -> None:
    with pytest.raises(PeerFault, match="step: step 99"):
        DECODER.decode(honest(Params, 99), Role.SERVER, Role.WORKER)


@settings(deadline=None)
@given(data=st.data(), pair=st.sampled_from(PAIRS))
def test_arbitrary_bytes_are_a_fault_or_a_message_of_the_run(
    data: st.DataObject, pair: tuple[Role, Role]
) -> None:
    raw = data.draw(st.binary(max_size=64))
    if data.draw(st.booleans()):
        # Frames that are nearly right reach the later checks.
        right = honest(data.draw(st.sampled_from(list(CODES)))).tobytes()
        cut = data.draw(st.integers(0, len(right)))
        raw = right[:cut] + (raw + right[cut + len(raw) :])[: len(right) - cut]
    try:
        message = DECODER.decode(np.frombuffer(bytearray(raw), np.uint8), *pair)
    except PeerFault:
        return
    assert type(message) in ROUTES[pair]
    assert 0 <= message.step <= last_step(type(message))
    assert message.vector.shape == (size_of(type(message)),)
    assert np.isfinite(message.vector).all()


class Recorder:
    """A participant that writes down what it is told."""

    halt: Halt | None = None
    busy = False

    def __init__(self) -> None:
        self.told: list[object] = []

    def start(self) -> None: ...

    def compute(self) -> None: ...

    def deliver(self, sender: Node, message: Message) -> None:
        self.told.append((sender, message.step))

    def reject(self, sender: Node, fault: Fault) -> None:
        self.told.append((sender, fault))


def test_a_good_frame_is_delivered_and_a_bad_one_is_reported_with_its_sender() -> None:
    sender, receiver, recorder = Node(Role.SERVER, 3), Node(Role.WORKER, 1), Recorder()
    for step in (4, 99):
        frame = honest(Params, step)
        DECODER.hand_over(frame, sender, receiver, recorder)
    assert recorder.told == [(sender, 4), (sender, Fault.STEP)]
