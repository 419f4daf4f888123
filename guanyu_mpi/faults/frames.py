"""The frames of a fault, made from one that the struck node could have sent honestly."""

from collections.abc import Callable

import numpy as np

from guanyu_mpi.faults.kinds import Injection
from guanyu_mpi.messages import Message
from guanyu_mpi.transport.wire import HEADER, KINDS, Element, Frame, encode

# Small: MPI sends it at once, wanted or not. Above what a receiver takes off the queue to see.
SMALL_BYTES = 64
OVERSIZE_BYTES = 64 * 1024

KIND_AT = 6
ELEMENT_AT = 7
STEP_AT = 8
# Of a number's most significant byte, which comes last.
SIGN_BIT = 0x80
# No message has this code.
FOREIGN_KIND = 77

Make = Callable[[Injection, Frame, np.random.Generator], list[Frame]]


def frames(
    injection: Injection,
    honest: Message,
    rng: np.random.Generator,
    element: Element = Element.FLOAT32,
) -> list[Frame]:
    """What each receiver gets, in this order; equal frames are one array."""
    return MAKERS[injection.kind](injection, encode(honest, element), rng)


def _flood_small(injection: Injection, _: Frame, rng: np.random.Generator) -> list[Frame]:
    return [_noise(rng, SMALL_BYTES)] * injection.count


def _flood_large(injection: Injection, honest: Frame, _: np.random.Generator) -> list[Frame]:
    # As large as a message and so received whole, but no message of ours.
    honest[:4] = 0
    return [honest] * injection.count


def _oversize(injection: Injection, honest: Frame, _: np.random.Generator) -> list[Frame]:
    longer = np.concatenate([honest, np.zeros(OVERSIZE_BYTES, np.uint8)])
    return [longer] * injection.count


def _undersize(injection: Injection, honest: Frame, _: np.random.Generator) -> list[Frame]:
    return [honest[: honest.size // 2]] * injection.count


def _wrong_kind(injection: Injection, honest: Frame, rng: np.random.Generator) -> list[Frame]:
    # Unknown, or known and never sent on this route: it is not the honest kind.
    honest[KIND_AT] = rng.choice([FOREIGN_KIND, *(k for k in KINDS if k != honest[KIND_AT])])
    return [honest] * injection.count


def _future_step(injection: Injection, honest: Frame, _: np.random.Generator) -> list[Frame]:
    return [_moved(honest, injection.offset_steps)] * injection.count


def _past_step(injection: Injection, honest: Frame, _: np.random.Generator) -> list[Frame]:
    return [_moved(honest, -injection.offset_steps)] * injection.count


def _duplicate(injection: Injection, honest: Frame, _: np.random.Generator) -> list[Frame]:
    return [honest] * injection.count


def _double_vote(injection: Injection, honest: Frame, _: np.random.Generator) -> list[Frame]:
    # The honest vote goes along: a second one must not overtake the first.
    return [honest, *[_negated(honest.copy())] * injection.count]


def _bit_flips(injection: Injection, honest: Frame, rng: np.random.Generator) -> list[Frame]:
    return [_flipped(honest.copy(), injection.bits, rng) for _ in range(injection.count)]


def _garbage(injection: Injection, honest: Frame, rng: np.random.Generator) -> list[Frame]:
    # Every other one of a length that is received whole, and has to be read to be refused.
    sizes = [
        honest.size if turn % 2 == 0 else int(rng.integers(honest.size))
        for turn in range(injection.count)
    ]
    return [_noise(rng, size) for size in sizes]


def _die_sending(_: Injection, honest: Frame, __: np.random.Generator) -> list[Frame]:
    return [honest]


def _noise(rng: np.random.Generator, size_bytes: int) -> Frame:
    return rng.integers(256, size=size_bytes, dtype=np.uint8)


def _moved(frame: Frame, steps: int) -> Frame:
    frame[STEP_AT : STEP_AT + 8].view("<i8")[:] += steps
    return frame


def _negated(frame: Frame) -> Frame:
    size_bytes = Element(frame[ELEMENT_AT]).size_bytes
    frame[HEADER.size :][size_bytes - 1 :: size_bytes] ^= SIGN_BIT
    return frame


def _flipped(frame: Frame, bits: int, rng: np.random.Generator) -> Frame:
    # Half of them in the header, where they would not be hit by chance in a large frame.
    places = [
        int(rng.integers(HEADER.size if bit % 2 == 0 else frame.size)) for bit in range(bits)
    ]
    for place in places:
        frame[place] ^= 1 << int(rng.integers(8))
    return frame


MAKERS: dict[str, Make] = {
    "flood-small": _flood_small,
    "flood-large": _flood_large,
    "oversize": _oversize,
    "undersize": _undersize,
    "wrong-kind": _wrong_kind,
    "future-step": _future_step,
    "past-step": _past_step,
    "duplicate": _duplicate,
    "double-vote": _double_vote,
    "bit-flips": _bit_flips,
    "garbage": _garbage,
    "die-sending": _die_sending,
}
