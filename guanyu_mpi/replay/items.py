"""What a replay computes, and in which order."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from guanyu_mpi.cluster import Node
from guanyu_mpi.errors import GuanYuError
from guanyu_mpi.messages import Gradient, Message, Params, Update


class Kind(IntEnum):
    """What a node says at a step, in the order of a step's phases."""

    PARAMS = 1
    GRADIENT = 2
    UPDATE = 3


KINDS: dict[type[Message], Kind] = {
    Params: Kind.PARAMS,
    Gradient: Kind.GRADIENT,
    Update: Kind.UPDATE,
}
MESSAGES: dict[Kind, type[Params] | type[Gradient] | type[Update]] = {
    Kind.PARAMS: Params,
    Kind.GRADIENT: Gradient,
    Kind.UPDATE: Update,
}


class Item(NamedTuple):
    """A vector of a run: what a node had to say of a kind at a step, in one life of the run."""

    life: int
    step: int
    kind: Kind
    node: Node

    def __str__(self) -> str:
        return f"{MESSAGES[self.kind].__name__}({self.step}) of {self.node}"


Sources: TypeAlias = Callable[[Item], tuple[Item, ...]]


class Unreproducible(GuanYuError):
    """A vector of the run is not what its trace makes of it, or nothing says what it was."""

    def __init__(self, life: int, step: int, reason: str) -> None:
        super().__init__(f"life {life}, step {step}: {reason}")
        self.at = life, step


def ordered(targets: Iterable[Item], sources: Sources) -> Iterator[tuple[Item, list[Item]]]:
    """All that the targets need, each after its sources and otherwise the earliest first.

    With each comes what nothing after it needs. Raises the earliest Unreproducible of all.
    """
    needs = _needs(targets, sources)
    users: dict[Item, list[Item]] = defaultdict(list)
    for item, needed in needs.items():
        for source in needed:
            users[source].append(item)
    uses = Counter({item: len(of) for item, of in users.items()})
    missing = {item: len(needed) for item, needed in needs.items()}
    ready = [item for item, count in missing.items() if not count]
    heapq.heapify(ready)
    while ready:
        item = heapq.heappop(ready)
        uses.subtract(needs[item])
        used_up = [needed for needed in (*needs[item], item) if not uses[needed]]
        yield item, used_up
        for user in users.pop(item, ()):
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, user)
    if stuck := [item for item, count in missing.items() if count]:
        first = min(stuck)
        later = next(source for source in needs[first] if missing[source])
        reason = f"{first} was made of {later}, which came of it"
        raise Unreproducible(first.life, first.step, reason)


def _needs(targets: Iterable[Item], sources: Sources) -> dict[Item, tuple[Item, ...]]:
    """What each item needs, of all that the targets need."""
    needs: dict[Item, tuple[Item, ...]] = {}
    earliest: Unreproducible | None = None
    # A list and not recursion: a run's steps depend on each other, from the last to the first.
    waiting = list(targets)
    while waiting:
        item = waiting.pop()
        if item in needs:
            continue
        try:
            needs[item] = tuple(dict.fromkeys(sources(item)))
        except Unreproducible as fault:
            if earliest is None or fault.at < earliest.at:
                earliest = fault
            needs[item] = ()
        waiting += needs[item]
    if earliest:
        raise earliest
    return needs
