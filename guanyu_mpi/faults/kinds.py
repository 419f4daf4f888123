"""The kinds of fault that can be injected, and one injection: whom it strikes, when, and how."""

from dataclasses import dataclass

from guanyu_mpi.cluster import Node, Role

# What a process can die of, and what MPI sees of it.
SIGNALS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGKILL", "SIGSEGV", "SIGTERM")


@dataclass(frozen=True, slots=True)
class Kind:
    """Keys that a kind has and needs; `ends` if nothing that strikes the node later has an effect.

    `count` is how many frames each receiver gets where nobody says; `role` is whom alone it
    strikes, if not both.
    """

    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    ends: bool = False
    count: int = 1
    role: Role | None = None

    def strikes(self, node: Node) -> bool:
        """Whether it has an effect on this node."""
        return self.role in (None, node.role)


_FRAMES = ("count", "receivers")

KINDS: dict[str, Kind] = {
    # The process.
    "crash": Kind(options=("exit_code", "signal"), ends=True),
    "hang": Kind(ends=True),
    "busy-loop": Kind(ends=True),
    "pause": Kind(options=("duration_s",)),
    # How long its gradients take from then on: no server computes any.
    "slow": Kind(options=("times",), role=Role.WORKER),
    # What it sends from then on.
    "delay": Kind(options=("delay_ms",)),
    "partial-send": Kind(options=("receivers",), needs=("receivers",)),
    # Frames that it sends once, beside its messages.
    "flood-small": Kind(options=_FRAMES, count=1000),
    "flood-large": Kind(options=_FRAMES, count=100),
    "oversize": Kind(options=_FRAMES),
    "undersize": Kind(options=_FRAMES),
    "wrong-kind": Kind(options=_FRAMES),
    "future-step": Kind(options=(*_FRAMES, "offset_steps")),
    "past-step": Kind(options=(*_FRAMES, "offset_steps")),
    "duplicate": Kind(options=_FRAMES, count=5),
    "double-vote": Kind(options=_FRAMES),
    "bit-flips": Kind(options=("bits", *_FRAMES)),
    "garbage": Kind(options=_FRAMES, count=10),
    # Both: frames on their way from a process that is no more.
    "die-sending": Kind(options=("receivers",), ends=True),
}


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault at a node, as soon as it has reached a step; keys that its kind lacks are ignored.

    `receivers` is None for everyone that the node sends to.
    """

    node: Node
    step: int
    kind: str
    signal: str = "SIGKILL"
    exit_code: int | None = None
    duration_s: float = 2.0
    delay_ms: float = 50.0
    times: float = 10.0
    count: int = 1
    offset_steps: int = 5
    bits: int = 8
    receivers: frozenset[Node] | None = None

    def __str__(self) -> str:
        return f"{self.node} at step {self.step}: {self.kind}"
