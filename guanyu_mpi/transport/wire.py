"""Frames: a fixed header and a flat vector, little-endian. What is wrong is rejected here.

A frame names no sender: who sent it is MPI's word, never the payload's.
"""

import struct
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.errors import Fault, PeerFault
from guanyu_mpi.messages import Gradient, Message, Params, Report, Update, Vector
from guanyu_mpi.protocol.contractions import Contractions
from guanyu_mpi.protocol.divergence import is_finite
from guanyu_mpi.transport.bfloat16 import narrow, widen
from guanyu_mpi.transport.participant import Receiver

Frame = npt.NDArray[np.uint8]

MAGIC = b"GYMP"
VERSION = 1
# Magic, version, kind, element type, step, dimension; padded so that the vector is aligned.
HEADER = struct.Struct("<4sHBBqQ8x")
KINDS: dict[int, type[Message]] = {1: Params, 2: Gradient, 3: Update, 4: Report}
CODES = {kind: code for code, kind in KINDS.items()}

# Which kinds a (sender, receiver) pair of roles exchanges: one, but for the observer.
ROUTES: dict[tuple[Role, Role], tuple[type[Message], ...]] = {
    (Role.SERVER, Role.WORKER): (Params,),
    (Role.SERVER, Role.OBSERVER): (Params, Report),
    (Role.WORKER, Role.SERVER): (Gradient,),
    (Role.SERVER, Role.SERVER): (Update,),
}

# What spies of an experiment are sent besides, by their honest peers.
SPIED: dict[tuple[Role, Role], tuple[type[Message], ...]] = {
    (Role.SERVER, Role.SERVER): (Params,),
    (Role.WORKER, Role.WORKER): (Gradient,),
}

# What may travel as bfloat16. Updates may not: servers would lose every step that is smaller than
# what it rounds (ADR 0013).
NARROWED = (Params, Gradient)

# Open MPI 5 implements MPI 3.1, whose counts are 32 bits: a longer message cannot be sent whole.
FRAME_BYTES_MAX = 2**31 - 1


class Element(Enum):
    """What a number of a vector is on the wire, by its code in the header."""

    FLOAT32 = 0
    BFLOAT16 = 1

    @property
    def size_bytes(self) -> int:
        """Size of one."""
        return 2 if self is Element.BFLOAT16 else 4


def frame_bytes(dimension: int, element: Element = Element.FLOAT32) -> int:
    """Size of a frame with a vector of `dimension` such numbers."""
    return HEADER.size + element.size_bytes * dimension


def encode(message: Message, element: Element = Element.FLOAT32) -> Frame:
    """A new frame that holds the message, shape (frame_bytes,)."""
    dimension = message.vector.size
    frame = np.empty(frame_bytes(dimension, element), np.uint8)
    code = CODES[type(message)]
    HEADER.pack_into(frame.data, 0, MAGIC, VERSION, code, element.value, message.step, dimension)
    numbers = frame[HEADER.size :]
    if element is Element.BFLOAT16:
        narrow(message.vector, numbers.view("<u2"))
    else:
        numbers.view("<f4")[:] = message.vector
    return frame


def _vector(numbers: Frame, element: Element) -> Vector:
    """The vector in the rest of a frame: a view of it, or a new one."""
    if element is Element.BFLOAT16:
        return widen(numbers.view("<u2"))
    return numbers.view("<f4")


def travelled(vector: Vector, element: Element) -> Vector:
    """What arrives of a vector (d,)."""
    if element is Element.FLOAT32:
        return vector
    halves = np.empty(vector.size, np.uint16)
    narrow(vector, halves)
    return widen(halves)


@dataclass(frozen=True, slots=True)
class Decoder:
    """Checks and opens the frames of one run: of so many numbers, up to its last step.

    `spies` are the attackers whom honest nodes of their role let know what they send; `narrowed`
    is what the vectors are made of that workers are sent, and send; `contract_every` tells of
    which steps there are updates.
    """

    dimension: int
    steps: int
    report_numbers: int = 0
    spies: frozenset[Node] = frozenset()
    narrowed: Element = Element.FLOAT32
    contract_every: int = 1

    def element(self, kind: type[Message], receiver: Role) -> Element:
        """What the vector of a message is made of; the observer's is whole, as it is saved."""
        whole = kind not in NARROWED or receiver is Role.OBSERVER
        return Element.FLOAT32 if whole else self.narrowed

    def frame_sizes(self, sender: Role, receiver: Role) -> set[int]:
        """Sizes in bytes of the frames that a role may send to another."""
        kinds = self._kinds(sender, receiver, spying=bool(self.spies))
        return {self._frame_bytes(kind, receiver) for kind in kinds}

    def decode(
        self, frame: Frame, sender: Role, receiver: Role, *, spying: bool = False
    ) -> Message:
        """The message in a frame, whose float32 it views; raises PeerFault if it is wrong."""
        if frame.size < HEADER.size:
            raise PeerFault(Fault.SIZE, f"{frame.size} bytes")
        magic, version, code, element_code, step, dimension = HEADER.unpack_from(frame.data, 0)
        if (magic, version) != (MAGIC, VERSION):
            raise PeerFault(Fault.MAGIC, f"{magic!r} version {version}")
        kind = KINDS.get(code)
        if kind is None or kind not in self._kinds(sender, receiver, spying=spying):
            raise PeerFault(Fault.KIND, f"kind {code} from a {sender.value}")
        element = self.element(kind, receiver)
        if element_code != element.value:
            raise PeerFault(Fault.MAGIC, f"element type {element_code}, not {element.value}")
        if dimension != self._dimension_of(kind) or frame.size != frame_bytes(dimension, element):
            raise PeerFault(Fault.SIZE, f"dimension {dimension} in {frame.size} bytes")
        if not self._has(kind, step):
            raise PeerFault(Fault.STEP, f"step {step}")
        vector = _vector(frame[HEADER.size :], element)
        if not is_finite(vector):
            raise PeerFault(Fault.NON_FINITE, f"{kind.__name__} of step {step}")
        return kind(step, vector)

    def hand_over(self, frame: Frame, sender: Node, receiver: Node, to: Receiver) -> None:
        """Deliver a frame's message, or report what is wrong with it."""
        try:
            spying = receiver in self.spies
            message = self.decode(frame, sender.role, receiver.role, spying=spying)
        except PeerFault as fault:
            to.reject(sender, fault.fault)
        else:
            to.deliver(sender, message)

    def _has(self, kind: type[Message], step: int) -> bool:
        """Whether there are messages of a kind at a step."""
        # Only parameters exist at the last step: all else leads to it.
        if not 0 <= step <= self.steps - (kind is not Params):
            return False
        return kind is not Update or Contractions(self.contract_every, self.steps).at(step)

    def _kinds(self, sender: Role, receiver: Role, *, spying: bool) -> tuple[type[Message], ...]:
        route = sender, receiver
        return ROUTES.get(route, ()) + (SPIED.get(route, ()) if spying else ())

    def _frame_bytes(self, kind: type[Message], receiver: Role) -> int:
        return frame_bytes(self._dimension_of(kind), self.element(kind, receiver))

    def _dimension_of(self, kind: type[Message]) -> int:
        return self.report_numbers if kind is Report else self.dimension
