"""All that the lives of a run have recorded, and where in it a vector comes from."""

from pathlib import Path

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config
from guanyu_mpi.config.injections import struck
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.messages import Gradient, Message, Params, Update
from guanyu_mpi.replay.items import KINDS, Item, Kind, Unreproducible
from guanyu_mpi.trace import (
    Segment,
    Taken,
    TraceError,
    life_configs,
    read_segments,
    trace_dir,
    trace_path,
)
from guanyu_mpi.trace.lives import versions
from guanyu_mpi.trace.record import SENDERS
from guanyu_mpi.trace.writer import Header


class Archive:
    """The traces of a run directory; `remarks` says which are damaged, torn, or made otherwise."""

    def __init__(self, run_dir: Path) -> None:
        self.configs: dict[int, Config] = life_configs(run_dir)
        if not self.configs:
            raise ConfigError(f"{run_dir} holds no trace: there is no {trace_dir(run_dir)}/life-*")
        self.remarks: list[str] = []
        self._run_dir = run_dir
        self._segments: dict[tuple[int, str], Segment] = {}
        for path in sorted(trace_dir(run_dir).glob("rank-*.h5")):
            self._read(path)
        # A life that ended before anyone had begun has recorded nothing, and changed nothing.
        self.lives = sorted({life for life, _ in self._segments} & set(self.configs))
        if not self.lives:
            raise ConfigError("\n".join([f"{run_dir} holds no readable trace", *self.remarks]))

    @property
    def injected(self) -> list[str]:
        """Who was struck by [faults]: what is injected on the way follows from no trace."""
        nodes = sorted({node for life in self.lives for node in struck(self.configs[life])})
        names = ", ".join(str(node) for node in nodes)
        return [f"[faults] of this run strike {names}, and may be why"] if nodes else []

    def segment(self, life: int, node: Node) -> Segment | None:
        """What a node has recorded in a life."""
        return self._segments.get((life, str(node)))

    def taken(self, life: int, node: Node, kind: type[Message], step: int) -> Taken | None:
        """The quorum of a kind that a node has consumed at a step."""
        segment = self.segment(life, node)
        table = segment.tables.get(kind) if segment else None
        return table.get(step) if table else None

    def life_of(self, server: Node, step: int, before: int | None = None) -> int | None:
        """The newest life, or that before another, in which a server had params of this step."""
        earlier = (life for life in reversed(self.lives) if before is None or life < before)
        return next((life for life in earlier if self._had(life, server, step)), None)

    def reached(self, server: Node) -> int:
        """The last step of which a server had params in the newest life."""
        segment = self.segment(self.lives[-1], server)
        if segment is None:
            return 0
        alone = self.configs[self.lives[-1]].contractions
        ended = [*segment.tables[Update]]
        ended += (step for step in segment.tables[Gradient] if not alone.at(step))
        return max((step + 1 for step in ended), default=segment.header.step)

    def starts_at(self, item: Item) -> bool:
        """Whether params are those that a server began a life with."""
        segment = self.segment(item.life, item.node)
        return segment is not None and segment.header.step == item.step

    def quorum_of(self, item: Item) -> tuple[type[Message], Taken] | None:
        """The quorum that a vector was made of: its kind and who was in it.

        None for params that a server began with, and for what is another vector (`same_as`).
        """
        if self.same_as(item):
            return None
        life, step, kind, node = item
        found: tuple[type[Message], Taken | None]
        match kind:
            case Kind.PARAMS if self.starts_at(item):
                return None
            case Kind.PARAMS:
                found = Update, self.taken(life, node, Update, step - 1)
            case Kind.GRADIENT:
                found = Params, self.taken(life, node, Params, step)
            case Kind.UPDATE:
                found = Gradient, self.taken(life, node, Gradient, step)
        if found[1] is None:
            raise Unreproducible(life, step, f"nothing in the trace tells of {item}")
        return found[0], found[1]

    def same_as(self, item: Item) -> Item | None:
        """The vector that another one is, to the bit; None if it was made by itself.

        The vote of a server that adopted what others had voted is its next params. Params to which
        no contraction led are the server's own update.
        """
        life, step, kind, node = item
        if kind is Kind.UPDATE and not self.taken(life, node, Gradient, step):
            adopted = self.taken(life, node, Update, step)
            return params_of(life, step + 1, node) if adopted and adopted.adopted else None
        if kind is not Kind.PARAMS or self.starts_at(item):
            return None
        contracted = self.configs[life].contractions.at(step - 1)
        return None if contracted else Item(life, step - 1, Kind.UPDATE, node)

    def sources(self, item: Item) -> tuple[Item, ...]:
        """The vectors that a vector was made of."""
        life, step, kind, node = item
        if same := self.same_as(item):
            return (same,)
        found = self.quorum_of(item)
        if found is None:
            return self._begun(item)
        votes = votes_of(item, *found)
        if kind is Kind.GRADIENT and (before := self.averaged_before(item)):
            return (*votes, before)
        return (params_of(life, step, node), *votes) if kind is Kind.UPDATE else votes

    def averaged_before(self, item: Item) -> Item | None:
        """The vector that a worker's gradient was averaged with: what it had sent before.

        None without momentum, and where a worker began with none.
        """
        life, step, _, worker = item
        segment = self.segment(life, worker)
        if segment is None or not self.configs[life].train.momentum:
            return None
        earlier = segment.tables[Params].before(step)
        if earlier is not None:
            return item._replace(step=earlier)
        if not segment.header.sources:
            return None
        begun = self.averaged_until(worker, segment.header.step, before=life)
        if begun is None:
            reason = f"{item} goes on from step {segment.header.step}, of which no life tells"
            raise Unreproducible(life, step, reason)
        return begun

    def averaged_until(self, worker: Node, step: int, before: int | None = None) -> Item | None:
        """What a worker sent last before a step, where it has saved that as its momentum."""
        for life in reversed(self.lives):
            earlier = before is None or life < before
            saved = earlier and self.configs[life].train.momentum
            if saved and self.taken(life, worker, Params, step - 1):
                return Item(life, step - 1, Kind.GRADIENT, worker)
        return None

    def _begun(self, item: Item) -> tuple[Item, ...]:
        """Whose params of an earlier life a server began with; nobody's are the model's own."""
        segment = self.segment(item.life, item.node)
        servers = segment.header.sources if segment else ()
        return tuple(self._restored(item, Node(Role.SERVER, index)) for index in servers)

    def _restored(self, item: Item, server: Node) -> Item:
        # All servers read the files of earlier lives before any of them writes one in this.
        life = self.life_of(server, item.step, before=item.life)
        if life is None:
            reason = f"{item} come from a checkpoint of {server}, of which no earlier life tells"
            raise Unreproducible(item.life, item.step, reason)
        return params_of(life, item.step, server)

    def _had(self, life: int, server: Node, step: int) -> bool:
        made_of = Update if self.configs[life].contractions.at(step - 1) else Gradient
        begun = self.starts_at(params_of(life, step, server))
        return begun or self.taken(life, server, made_of, step - 1) is not None

    def _read(self, path: Path) -> None:
        try:
            segments = read_segments(path)
        except TraceError as fault:
            self.remarks.append(str(fault))
            return
        for segment in segments:
            header = segment.header
            if not self._speaks_for(path, header):
                self.remarks.append(f"{path}: life {header.life} is not of {header.node}'s rank")
                continue
            self._segments[header.life, header.node] = segment
            if segment.torn:
                last = max(
                    (step for table in segment.tables.values() for step in table), default=0
                )
                self.remarks.append(
                    f"{path}: life {header.life} is torn after step {last}; the rest is not read"
                )
            if header.versions != versions():
                other = f"life {header.life} ran with {header.versions}; this is {versions()}"
                self.remarks += [other] if other not in self.remarks else []

    def _speaks_for(self, path: Path, header: Header) -> bool:
        """Whether a file is that of the node that it names: each rank speaks for itself alone."""
        config = self.configs.get(header.life)
        # A life that is not known is not replayed.
        nodes = enumerate(config.nodes) if config else ()
        own = {str(node): trace_path(self._run_dir, rank) for rank, node in nodes}
        return config is None or own.get(header.node) == path


def votes_of(item: Item, voted: type[Message], taken: Taken) -> tuple[Item, ...]:
    """The vectors that a quorum consisted of, in the order of their senders."""
    return tuple(
        Item(item.life, at, KINDS[voted], Node(SENDERS[voted], sender))
        for sender, at in zip(taken.senders, taken.steps, strict=True)
    )


def params_of(life: int, step: int, server: Node) -> Item:
    """A server's parameters."""
    return Item(life, step, Kind.PARAMS, server)
