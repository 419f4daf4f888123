"""float32 and bfloat16, its upper half: 8 bits of exponent, 8 of significand, one of them implied.

In numpy, because servers have no torch.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from guanyu_mpi.messages import Vector

Halves: TypeAlias = npt.NDArray[np.uint16]

# So that what is computed on the way stays in the cache.
BLOCK = 32_768
# Set in the upper half of a NaN, whose own bits may all be in the lower one.
QUIET = 0x0040


def narrow(vector: Vector, out: Halves) -> None:
    """Round a vector (d,) into out (d,): to nearest, ties to even; NaN stays NaN."""
    whole = np.ascontiguousarray(vector, np.float32)
    for start in range(0, whole.size, BLOCK):
        out[start : start + BLOCK] = _rounded(whole[start : start + BLOCK])


def widen(halves: Halves) -> Vector:
    """A new vector (d,) of the same numbers."""
    bits = halves.astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32)


def _rounded(values: Vector) -> Halves:
    bits = values.view(np.uint32)
    # Half of the last place that is kept, less the smallest bit unless that place is odd.
    halves = ((bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16).astype(np.uint16)
    nan = np.isnan(values)
    if nan.any():
        halves[nan] = bits[nan] >> 16 | QUIET
    return halves
