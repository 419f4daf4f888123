"""One quorum as a record of fixed size: who voted, for which step each vote was, and marks.

A mark is a checksum of a sample of a vector. By the marks of the votes a replay finds the first
vector that was not what it should have been, and whose it is.
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from guanyu_mpi.cluster import Role
from guanyu_mpi.messages import Gradient, Message, Params, Update, Vector
from guanyu_mpi.protocol.effects import Consumed

# Of vectors beyond 1024 coordinates so many stretches of so many are looked at: reading all of a
# large model at every step would cost more than combining it.
STRETCHES, STRETCH = 16, 64

# What a quorum's votes are called, and who sends them.
NAMES: dict[type[Message], str] = {Params: "params", Gradient: "gradients", Update: "updates"}
SENDERS: dict[type[Message], Role] = {
    Params: Role.SERVER,
    Gradient: Role.WORKER,
    Update: Role.SERVER,
}

_HEAD, _VOTE, _CHECKSUM = "IBI", "HII", struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Layout:
    """Records of quorums of one size, as bytes; a record ends with the checksum of the rest."""

    quorum: int

    @property
    def dtype(self) -> npt.DTypeLike:
        """The record as HDF5 and numpy know it; `ahead` is how much later a vote's step is."""
        vote = [("sender", "<u2"), ("ahead", "<u4"), ("mark", "<u4")]
        head = [("step", "<u4"), ("adopted", "u1"), ("mark", "<u4")]
        return np.dtype([*head, ("votes", vote, (self.quorum,)), ("checksum", "<u4")])

    @property
    def size(self) -> int:
        """Bytes of a record."""
        return self._body.size + _CHECKSUM.size

    def pack(self, consumed: Consumed) -> bytes:
        """The record of a quorum."""
        quorum = consumed.quorum
        votes: list[int] = []
        for sender, vote in zip(quorum.senders, quorum.votes, strict=True):
            votes += sender.index, vote.step - quorum.step, mark(vote.vector)
        head = quorum.step, consumed.adopted, mark(consumed.result)
        body = self._body.pack(*head, *votes)
        return body + _CHECKSUM.pack(zlib.crc32(body))

    def num_intact(self, rows: bytes) -> int:
        """How many records there are before the first that is missing or torn."""
        count = len(rows) // self.size
        for k in range(count):
            record = rows[k * self.size : (k + 1) * self.size]
            (checksum,) = _CHECKSUM.unpack(record[self._body.size :])
            # All zeros, as where nothing was written, have another checksum.
            if zlib.crc32(record[: self._body.size]) != checksum:
                return k
        return count

    @property
    def _body(self) -> struct.Struct:
        return struct.Struct(f"<{_HEAD}{_VOTE * self.quorum}")


def mark(vector: Vector) -> int:
    """32 bits by which a vector (d,) is known again; equal vectors have equal marks."""
    if vector.size > STRETCHES * STRETCH:
        each = vector.size // STRETCHES
        vector = vector[: STRETCHES * each].reshape(STRETCHES, each)[:, :STRETCH]
    return zlib.crc32(np.ascontiguousarray(vector, "<f4").data)
