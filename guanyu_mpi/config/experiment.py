"""The sections of what an experiment does to a run: attacks, faults, a simulated network."""

from typing import Annotated, Literal

from pydantic import Field

from guanyu_mpi.config.section import (
    Count,
    NonNegativeFloat,
    Numbers,
    Positive,
    PositiveFloat,
    Section,
)


class AttackSection(Section):
    """Which nodes of a role attack, and how; what the bounds tolerate is in [cluster]."""

    name: str = ""
    """An attack."""
    count: Count = 0
    """How many nodes attack, those of the highest indices; 0: nobody."""
    indices: tuple[Count, ...] = Field(default=(), strict=False)
    """Or exactly which."""
    options: Numbers = {}
    """Options of the attack."""

    def attackers(self, nodes: int) -> tuple[int, ...]:
        """Indices of the attackers among so many nodes."""
        return self.indices or tuple(range(nodes - self.count, nodes))


class AttacksSection(Section):
    """What an experiment injects."""

    workers: AttackSection = AttackSection()
    """Attacking workers."""
    servers: AttackSection = AttackSection()
    """Attacking servers."""


class PartitionSection(Section):
    """Nodes that are cut off for a while."""

    nodes: tuple[str, ...] = Field(strict=False, min_length=1)
    """One side of the cut, such as ["server-2", "worker-0"]."""
    start_s: NonNegativeFloat
    """When the cut begins, in seconds of virtual time."""
    end_s: PositiveFloat
    """When it heals."""


class LinkSection(Section):
    """A link with a delay of its own."""

    sender: str
    """Such as "server-2"."""
    receiver: str
    """Such as "worker-0"."""
    delay_ms_mean: NonNegativeFloat
    """Mean delay from sender to receiver."""


class SimulationSection(Section):
    """The network and the speed of the nodes under `guanyu simulate`; of no effect elsewhere."""

    delay: Literal["constant", "uniform", "exponential", "pareto"] = "exponential"
    """Distribution of a message's delay: constant, uniform, exponential or pareto."""
    delay_ms_mean: NonNegativeFloat = 1.0
    """Mean of it."""
    process_ms: NonNegativeFloat = 0.1
    """Time to take in one message."""
    compute_ms: NonNegativeFloat = 10.0
    """Time to compute a gradient."""
    slow: dict[str, PositiveFloat] = {}
    """How many times slower single nodes are, such as {"server-2" = 50.0}."""
    links: tuple[LinkSection, ...] = Field(default=(), strict=False)
    """Links with a delay of their own."""
    partitions: tuple[PartitionSection, ...] = Field(default=(), strict=False)
    """Cuts and when they heal."""


class InjectionSection(Section):
    """One fault, at one node; which keys a kind has is in guanyu_mpi/faults/kinds.py."""

    node: str
    """Who is struck, such as "worker-3"."""
    step: Count
    """When: as soon as the node has reached this step."""
    kind: str
    """What happens to it: one of the kinds below."""
    signal: str | None = None
    """Signal that a crash dies of; SIGKILL if absent."""
    exit_code: Annotated[int, Field(ge=0, le=255)] | None = None
    """Or the status that it leaves with, without a word to MPI."""
    duration_s: PositiveFloat | None = None
    """How long a pause lasts; 2 if absent."""
    delay_ms: PositiveFloat | None = None
    """How long a delayed node waits before each message; 50 if absent."""
    times: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    """How many times as long a slow worker takes for each gradient; 10 if absent."""
    count: Annotated[int, Field(ge=1, le=10**6)] | None = None
    """How many frames each receiver gets; depends on the kind if absent."""
    offset_steps: Positive | None = None
    """How many steps a frame is ahead or behind; 5 if absent."""
    bits: Positive | None = None
    """How many bits of a frame are flipped; 8 if absent."""
    receivers: tuple[str, ...] | None = Field(default=None, strict=False)
    """Who gets the frames, and of partial-send who still gets messages; all if absent."""


class FaultsSection(Section):
    """Faults that an experiment injects into real processes; what they may be is in [cluster]."""

    inject: tuple[InjectionSection, ...] = Field(default=(), strict=False)
    """Faults."""
