"""Which part of a node's cores and devices is a rank's; who else is there, MPI says."""

import os
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

# What numeric libraries ask for the number of their threads, when they are loaded.
THREADS_ENV = "OMP_NUM_THREADS"
# numpy's own; only loaded before MPI can say who else is on the node.
NUMPY_THREADS_ENV = "OPENBLAS_NUM_THREADS"


def threads(local_rank: int, cores: Sequence[frozenset[int]]) -> int:
    """Threads for one of a node's ranks, each of which may use the `cores` of its own.

    A core counts for the part that is left of it where others may use it too; one thread at least.

    >>> two, four = frozenset(range(2)), frozenset(range(4))
    >>> threads(0, [four]), threads(1, [four, four]), threads(0, [two] * 8)
    (4, 2, 1)
    """
    users = Counter(core for own in cores for core in own)
    return max(1, int(sum(Fraction(1, users[core]) for core in cores[local_rank])))


def device(local_rank: int, visible: int) -> int | None:
    """The device of one of a node's ranks, of those visible to it; None where there are none.

    >>> [device(rank, 2) for rank in range(4)], device(3, 1), device(0, 0)
    ([0, 1, 0, 1], 0, None)
    """
    return local_rank % visible if visible else None


def hold_back() -> None:
    """Have numpy, which is loaded before MPI, start one thread and not one for every core."""
    if THREADS_ENV not in os.environ:
        os.environ.setdefault(NUMPY_THREADS_ENV, "1")


def take_share(local_rank: int, cores: Sequence[frozenset[int]]) -> None:
    """Have what is loaded from now on, such as torch, use a rank's share; the user's word wins."""
    os.environ.setdefault(THREADS_ENV, str(threads(local_rank, cores)))


def described() -> str:
    """How many threads a rank computes with, for a person who is about to start some."""
    if chosen := os.environ.get(THREADS_ENV):
        return f"threads per rank: {chosen} ({THREADS_ENV})"
    return (
        "threads per rank: 1 with `guanyu launch`, else a rank's share of its node's cores; "
        f"{THREADS_ENV} overrides"
    )
