"""Which part of a node's cores and devices is a rank's; who else is there, MPI says."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

# What numeric libraries ask for the number of their threads, when they are loaded.
THREADS_ENV = "OMP_NUM_THREADS"
# numpy's own; only loaded before MPI can say who else is on the node.
NUMPY_THREADS_ENV = "OPENBLAS_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Share:
    """A rank's place among those of its node, and whether a core there is left to it alone.

    By default that of a process which is all ranks in turn.
    """

    local_rank: int = 0
    own_core: bool = False


ALL_RANKS = Share()


def share(local_rank: int, cores: Sequence[frozenset[int]]) -> Share:
    """That of one of a node's ranks, each of which may use the `cores` of its own.

    >>> two, four = frozenset(range(2)), frozenset(range(4))
    >>> share(0, [two]), share(1, [four] * 5)
    (Share(local_rank=0, own_core=True), Share(local_rank=1, own_core=False))
    """
    return Share(local_rank, own_core=_num_cores(local_rank, cores) >= 1)


def threads(local_rank: int, cores: Sequence[frozenset[int]]) -> int:
    """Threads for one of a node's ranks, each of which may use the `cores` of its own.

    As many as it has cores; one at least.

    >>> two, four = frozenset(range(2)), frozenset(range(4))
    >>> threads(0, [four]), threads(1, [four, four]), threads(0, [two] * 8)
    (4, 2, 1)
    """
    return max(1, int(_num_cores(local_rank, cores)))


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


def _num_cores(local_rank: int, cores: Sequence[frozenset[int]]) -> Fraction:
    """A core counts for the part that is left of it where others may use it too."""
    users = Counter(core for own in cores for core in own)
    return sum((Fraction(1, users[core]) for core in cores[local_rank]), Fraction())
