"""Silent data corruption: a node that is not malicious, but whose arithmetic is not right.

In gate-level studies of GPUs about 1 % of the outcomes are NaN or infinity, fewer than 40 % of the
bit flips are of a single bit, and neighbouring threads are struck together.
"""

import numpy as np

from guanyu_mpi.attacks.view import View
from guanyu_mpi.messages import Vector

# Threads that compute in step, and so fail together.
WARP = 32


def bit_flip(
    view: View, *, warps: float = 1.0, bits: float = 2.0, non_finite: float = 0.01
) -> Vector:
    """The honest vector with the same random bits flipped in all 32 coordinates of some warps.

    So many distinct ones, as far as there are that many. Where that would make NaN or infinity, it
    does so with probability `non_finite` only. Knows its own vector.
    """
    rng = view.random("bits")
    corrupted = view.vector.copy()
    words = corrupted.view(np.uint32)
    blocks, hit = -(-words.size // WARP), set[int]()
    while len(hit) < min(int(warps), blocks):
        block = int(rng.integers(blocks))
        # Flipped once more, bits are what they were.
        if block in hit:
            continue
        hit.add(block)
        first = WARP * block
        places = rng.choice(32, size=int(bits), replace=False).astype(np.uint32)
        words[first : first + WARP] ^= np.bitwise_or.reduce(np.uint32(1) << places)
    broken = ~np.isfinite(corrupted)
    if rng.random() >= non_finite:
        corrupted[broken] = view.vector[broken]
    return corrupted
