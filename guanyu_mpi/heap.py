"""Memory that is freed is kept for what comes next, rather than given back to the kernel.

A step frees as much as it takes, and vectors and activations are large: glibc would map new pages
for each of them, and the kernel clear every one. Without that, cnnet's gradient takes a quarter
less time.
"""

import ctypes
from contextlib import suppress

# Of mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
# Beyond any vector that a frame can hold.
NEVER_BYTES = 2**31 - 1


def keep_freed_memory() -> None:
    """Have this process keep what it frees, at most as much as it has ever held at once.

    Where the C library is not glibc, nothing changes.
    """
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, NEVER_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER_BYTES)
