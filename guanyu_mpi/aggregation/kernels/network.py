"""Selection networks: which minima and maxima bring the wanted ranks of n values into place."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


class Comparator(NamedTuple):
    """Puts the lesser of two places first; a side that nobody reads later is not written."""

    first: int
    second: int
    writes_first: bool
    writes_second: bool


# A job uses one or two sizes; the bound is for benchmarks that sweep over n.
@lru_cache(maxsize=256)
def selection_network(n: int, ranks: frozenset[int]) -> tuple[Comparator, ...]:
    """Comparators after which place r holds the value of rank r, for each wanted rank r.

    They are those of merge exchange without what no wanted rank depends on.

    >>> selection_network(3, frozenset({0}))[-1]
    Comparator(first=0, second=1, writes_first=True, writes_second=False)
    """
    needed, kept = set(ranks), []
    for first, second in reversed(list(_merge_exchange(n))):
        comparator = Comparator(first, second, first in needed, second in needed)
        if comparator.writes_first or comparator.writes_second:
            kept.append(comparator)
            needed |= {first, second}
    return tuple(reversed(kept))


def _merge_exchange(n: int) -> Iterable[tuple[int, int]]:
    """Sort n places by a fixed sequence of comparators, for any n.

    Batcher 1968, as Algorithm 5.2.2M of Knuth, The Art of Computer Programming 3; p, q, r and the
    distance are Knuth's. A pass compares the places i and i + distance whose bit p of i equals r.
    """
    p = top = (1 << (n - 1).bit_length()) >> 1
    while p > 0:
        q, r, distance = top, 0, p
        while True:
            yield from ((i, i + distance) for i in range(n - distance) if i & p == r)
            if q == p:
                break
            q, r, distance = q >> 1, p, q - p
        p >>= 1
