"""Attackers that remember: each attacker has an object of its own, made when it starts."""

from collections import defaultdict

import numpy as np

from guanyu_mpi.attacks.view import Float64s, View
from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Message, Vector


class Freeze:
    """Says for ever what it would have said first. Knows its own vectors."""

    def __init__(self) -> None:
        self._first: dict[type[Message], Vector] = {}

    def __call__(self, view: View) -> Vector:
        """Its first vector of this kind, (d,)."""
        return self._first.setdefault(view.kind, view.vector.copy()).copy()


class StaleReplay:
    """Says what it would have said some steps ago, as if it were new. Knows its own vectors."""

    def __init__(self, *, steps: float = 10.0) -> None:
        self._steps = int(steps)
        self._past: defaultdict[type[Message], dict[int, Vector]] = defaultdict(dict)

    def __call__(self, view: View) -> Vector:
        """The oldest of its vectors of this kind that is no older than that, (d,)."""
        past = self._past[view.kind]
        past[view.step] = view.vector.copy()
        for step in [step for step in past if step < view.step - self._steps]:
            del past[step]
        return past[min(past)].copy()


class Mimic:
    """All attackers say what one honest node says, who so counts for many. Omniscient.

    Karimireddy et al., ICLR 2022: for `warmup` steps it looks for the direction in which honest
    vectors differ most, by power iteration, and copies who is furthest along it; then whoever
    that was at the end. Attackers of different processes may have overheard different quorums,
    and then may copy different nodes. Harmless to the mean direction of equal data, but not to
    its noise.
    """

    def __init__(self, *, warmup: float = 10.0) -> None:
        self._left: defaultdict[type[Message], int] = defaultdict(lambda: int(warmup))
        self._direction: dict[type[Message], Float64s] = {}
        self._copied: dict[type[Message], Node] = {}

    def __call__(self, view: View) -> Vector:
        """A copy of what that node has said, (d,)."""
        honest, kind = view.honest, view.kind
        copied = self._copied.get(kind)
        if self._left[kind]:
            self._left[kind] -= 1
            copied = self._copied[kind] = self._furthest(view)
        elif copied not in honest.senders:
            copied = self._furthest(view)
        return honest.vectors[honest.senders.index(copied)].copy()

    def _furthest(self, view: View) -> Node:
        honest = view.honest
        begun = view.plan("mimic").standard_normal(view.vector.shape)
        direction = self._direction.get(view.kind, begun)
        away = [vector - honest.mean for vector in honest.vectors]
        for offset in away:
            direction = direction + (offset @ direction) * offset
        self._direction[view.kind] = direction / (np.linalg.norm(direction) or 1.0)
        along = [float(offset @ direction) for offset in away]
        return honest.senders[int(np.argmax(along))]
