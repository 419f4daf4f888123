"""Computes the vectors of a run anew, by the code that made them, and compares their marks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from guanyu_mpi.assembly import Assembly
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import config_toml
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.momentum import averaged
from guanyu_mpi.protocol.effects import Broadcast, Effect, Send
from guanyu_mpi.protocol.quorum import Aggregate, Quorum, Vote, Wait
from guanyu_mpi.protocol.server import updated
from guanyu_mpi.replay.archive import Archive, params_of, votes_of
from guanyu_mpi.replay.items import MESSAGES, Item, Kind, Unreproducible, ordered
from guanyu_mpi.saves import median
from guanyu_mpi.trace import Taken, mark, params_digest
from guanyu_mpi.transport.wire import travelled

LISTENERS = {Kind.PARAMS: Role.WORKER, Kind.GRADIENT: Role.SERVER, Kind.UPDATE: Role.SERVER}


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A vector (d,), and what it was made of: a quorum and what the rule has made of that.

    Neither is there of params that a server began with or that were read from a checkpoint.
    """

    item: Item
    vector: Vector
    quorum: Quorum | None = None
    combined: Vector | None = None


class Rerun:
    """The run again, as far as it is asked for; it holds only what is still needed.

    `saved` are params from checkpoints, for whoever need not begin at the beginning.
    """

    def __init__(self, archive: Archive, saved: Mapping[Item, Vector]) -> None:
        self._archive = archive
        self._saved = saved
        self._by_config: dict[str, Assembly] = {}
        self._by_life: dict[int, Assembly] = {}
        self._vectors: dict[Item, Vector] = {}
        self._said: dict[Item, list[Effect]] = {}

    def made(self, targets: Iterable[Item]) -> Iterator[Made]:
        """The targets, earliest first; raises Unreproducible where the run went another way."""
        wanted = set(targets)
        for item, used_up in ordered(wanted, self._sources):
            made = self._make(item)
            self._vectors[item] = made.vector
            if item in wanted:
                yield made
            for needless in used_up:
                self._vectors.pop(needless, None)
                self._said.pop(needless, None)

    def _sources(self, item: Item) -> tuple[Item, ...]:
        return () if item in self._saved else self._archive.sources(item)

    def _make(self, item: Item) -> Made:
        if item in self._saved:
            saved = self._saved[item]
            # A worker's trace has no mark of what it sent; what was made of it later, has.
            gradient = item.kind is Kind.GRADIENT
            return Made(item, saved if gradient else self._checked(item, saved))
        if same := self._archive.same_as(item):
            return Made(item, self._vectors[same])
        found = self._archive.quorum_of(item)
        if found is not None:
            return self._voted(item, self._quorum(item, *found), found[1])
        return Made(item, self._checked(item, self._begun(item)))

    def _voted(self, item: Item, quorum: Quorum, taken: Taken) -> Made:
        """What a node made of a quorum."""
        combined = quorum.combine()
        assembly = self._assembly(item.life)
        vector = result = combined
        if item.kind is Kind.UPDATE:
            params = self._vectors[params_of(item.life, item.step, item.node)]
            vector = result = updated(params, assembly.rate(item.step), combined)
        if mark(result) != taken.mark:
            raise self._differs(item, "made another vector of the same votes")
        if item.kind is Kind.GRADIENT:
            _, vector = assembly.objective.gradient(combined, item.node.index, item.step)
            vector = self._averaged(item, vector)
        return Made(item, vector, quorum, combined)

    def _averaged(self, item: Item, gradient: Vector) -> Vector:
        """What a worker sent: its gradient, or with momentum an average of it and others."""
        beta = self._archive.configs[item.life].train.momentum
        if not beta:
            return gradient
        before = self._archive.averaged_before(item)
        if before is None:
            return averaged(np.zeros_like(gradient), gradient, beta)
        momentum = self._vectors[before]
        segment = self._archive.segment(item.life, item.node)
        begun = segment and before.life < item.life and segment.header.digest
        if begun and begun != params_digest(momentum):
            raise self._differs(item, f"began with another momentum than {before}")
        return averaged(momentum, gradient, beta)

    def _quorum(self, item: Item, voted: type[Message], taken: Taken) -> Quorum:
        """The votes as they reached the node that combined them."""
        votes = votes_of(item, voted, taken)
        vectors = [self._heard(vote, item.node) for vote in votes]
        for vote, vector, expected in zip(votes, vectors, taken.marks, strict=True):
            if vector is None or mark(vector) != expected:
                raise self._differs(item, f"was sent another {vote} than its trace makes of it")
        return Quorum(
            taken.step,
            tuple(vote.node for vote in votes),
            tuple(
                Vote(vote.step, 0, vector)
                for vote, vector in zip(votes, vectors, strict=True)
                if vector is not None
            ),
            self._rule(item).gather(),
        )

    def _rule(self, item: Item) -> Aggregate:
        assembly = self._assembly(item.life)
        return assembly.gar if item.kind is Kind.UPDATE else assembly.contraction

    def _heard(self, item: Item, receiver: Node) -> Vector | None:
        """What a node has told another one: an attacker says what its attack makes of it."""
        if item.node == receiver:
            return self._vectors[item]
        if attack := self._assembly(item.life).attackers.untold(item.node):
            raise self._differs(item, f"attacks by {attack!r}: its lies follow from no trace")
        if item not in self._said:
            message = MESSAGES[item.kind](item.step, self._vectors[item])
            speaker = self._assembly(item.life).attackers.corrupted(
                Speaker(LISTENERS[item.kind]), item.node
            )
            self._said[item] = speaker.receive(item.node, message)
        said = _received(self._said[item], receiver)
        if said is None:
            return None
        decoder = self._assembly(item.life).decoder
        return travelled(said, decoder.element(MESSAGES[item.kind], receiver.role))

    def _begun(self, item: Item) -> Vector:
        """Params that a server began a life with, as a restart makes them."""
        sources = self._archive.sources(item)
        if not sources:
            return self._assembly(item.life).spec.initial_params()
        vectors = [self._vectors[source] for source in sources]
        return (
            vectors[0] if [item.node] == [s.node for s in sources] else median(np.stack(vectors))
        )

    def _checked(self, item: Item, params: Vector) -> Vector:
        """Params that nothing was combined for; raises Unreproducible if they were others."""
        segment = self._archive.segment(item.life, item.node)
        if segment and self._archive.starts_at(item):
            same = segment.header.digest == params_digest(params)
        else:
            found = self._archive.quorum_of(item)
            same = found is not None and found[1].mark == mark(params)
        if not same:
            raise self._differs(item, "began with other params, or its checkpoint holds others")
        return params

    def _differs(self, item: Item, how: str) -> Unreproducible:
        return Unreproducible(item.life, item.step, f"{item.node} {how}")

    def _assembly(self, life: int) -> Assembly:
        """What the nodes of a life share; lives of one configuration share it, too."""
        if life not in self._by_life:
            config = self._archive.configs[life]
            same = self._by_config.setdefault(config_toml(config), Assembly(config, None))
            self._by_life[life] = same
        return self._by_life[life]


class Speaker:
    """A core that says what it is handed, so that an attacker can be made of it."""

    step = 0
    waits_for: tuple[Wait, ...] = ()

    def __init__(self, to: Role) -> None:
        self._to = to

    def start(self) -> list[Effect]:
        """Nothing."""
        return []

    def receive(self, sender: Node, message: Message) -> list[Effect]:  # noqa: ARG002 - a Core's
        """The message, to all of a role."""
        return [Broadcast(message, self._to)]

    def distrust(self, sender: Node) -> list[Effect]:  # noqa: ARG002 - a Core's
        """Nothing."""
        return []

    def vote_no_more(self) -> None:
        """Nothing."""


def _received(effects: Iterable[Effect], receiver: Node) -> Vector | None:
    for effect in effects:
        match effect:
            case Broadcast(message):
                return message.vector
            case Send(message, to) if to == receiver:
                return message.vector
    return None
