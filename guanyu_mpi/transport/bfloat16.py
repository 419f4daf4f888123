"""float32 and bfloat16, its upper half: 8 bits of exponent, 8 of significand, one of them implied.

In numpy, because servers have no torch.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.messages import Vector
from guanyu_mpi.protocol.divergence import is_finite

Halves: TypeAlias = npt.NDArray[np.uint16]

# So that what is computed on the way stays in the cache.
BLOCK = 32_768
# Set in the upper half of a NaN, whose own bits may all be in the lower one.
QUIET = 0x0040


def narrow(vector: Vector, out: Halves) -> None:
    """Round a vector (d,) into out (d,): to nearest, ties to even; NaN stays NaN."""
    whole = np.ascontiguousarray(vector, np.float32)
    bits = whole.view(np.uint32)
    for start in range(0, whole.size, BLOCK):
        out[start : start + BLOCK] = _rounded(bits[start : start + BLOCK])
    if not is_finite(whole):
        nan = np.isnan(whole)
        out[nan] = bits[nan] >> 16 | QUIET


def widen(halves: Halves) -> Vector:
    """A new vector (d,) of the same numbers."""
    bits = halves.astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32)


def _rounded(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The upper halves of numbers that are not NaN."""
    # Half of the last place that is kept, less the smallest bit unless that place is odd.
    halves = bits >> np.uint32(16)
    halves &= np.uint32(1)
    halves += np.uint32(0x7FFF)
    halves += bits
    halves >>= np.uint32(16)
    return halves
