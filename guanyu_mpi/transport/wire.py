"""Frames: a fixed header and a flat float32 vector, little-endian. What is wrong is rejected here.

A frame names no sender: who sent it is MPI's word, never the payload's.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.errors import Fault, PeerFault
from guanyu_mpi.messages import Gradient, Message, Params, Report, Update
from guanyu_mpi.protocol.divergence import is_finite
from guanyu_mpi.transport.participant import Receiver

Frame = npt.NDArray[np.uint8]

MAGIC = b"GYMP"
VERSION = 1
# Magic, version, kind, element type, step, dimension; padded so that the vector is aligned.
HEADER = struct.Struct("<4sHBBqQ8x")
FLOAT32 = 0
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

# Open MPI 5 implements MPI 3.1, whose counts are 32 bits: a longer message cannot be sent whole.
FRAME_BYTES_MAX = 2**31 - 1


def frame_bytes(dimension: int) -> int:
    """Size of a frame with a vector of `dimension` float32."""
    return HEADER.size + 4 * dimension


def encode(message: Message) -> Frame:
    """A new frame that holds the message, shape (frame_bytes,)."""
    dimension = message.vector.size
    frame = np.empty(frame_bytes(dimension), np.uint8)
    code = CODES[type(message)]
    HEADER.pack_into(frame.data, 0, MAGIC, VERSION, code, FLOAT32, message.step, dimension)
    frame[HEADER.size :].view("<f4")[:] = message.vector
    return frame


@dataclass(frozen=True, slots=True)
class Decoder:
    """Checks and opens the frames of one run: of so many numbers, up to its last step.

    `spies` are the attackers whom honest nodes of their role let know what they send.
    """

    dimension: int
    steps: int
    report_numbers: int = 0
    spies: frozenset[Node] = frozenset()

    def frame_sizes(self, sender: Role, receiver: Role) -> set[int]:
        """Sizes in bytes of the frames that a role may send to another."""
        kinds = self._kinds(sender, receiver, spying=bool(self.spies))
        return {frame_bytes(self._dimension_of(kind)) for kind in kinds}

    def decode(
        self, frame: Frame, sender: Role, receiver: Role, *, spying: bool = False
    ) -> Message:
        """The message in a frame, its vector a view of it; raises PeerFault if it is wrong."""
        if frame.size < HEADER.size:
            raise PeerFault(Fault.SIZE, f"{frame.size} bytes")
        magic, version, code, element, step, dimension = HEADER.unpack_from(frame.data, 0)
        if (magic, version, element) != (MAGIC, VERSION, FLOAT32):
            raise PeerFault(Fault.MAGIC, f"{magic!r} version {version} element type {element}")
        kind = KINDS.get(code)
        if kind is None or kind not in self._kinds(sender, receiver, spying=spying):
            raise PeerFault(Fault.KIND, f"kind {code} from a {sender.value}")
        if dimension != self._dimension_of(kind) or frame.size != frame_bytes(dimension):
            raise PeerFault(Fault.SIZE, f"dimension {dimension} in {frame.size} bytes")
        # Only parameters exist at the last step: all else leads to it.
        if not 0 <= step <= self.steps - (kind is not Params):
            raise PeerFault(Fault.STEP, f"step {step}")
        vector = frame[HEADER.size :].view("<f4")
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

    def _kinds(self, sender: Role, receiver: Role, *, spying: bool) -> tuple[type[Message], ...]:
        route = sender, receiver
        return ROUTES.get(route, ()) + (SPIED.get(route, ()) if spying else ())

    def _dimension_of(self, kind: type[Message]) -> int:
        return self.report_numbers if kind is Report else self.dimension
