"""The sections of a configuration file and their keys; what holds across them is in checks.py."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from guanyu_mpi.cluster import Cluster, Node, Role, default_quorum
from guanyu_mpi.config.experiment import AttacksSection, FaultsSection, SimulationSection
from guanyu_mpi.config.section import (
    Count,
    Nodes,
    NonNegativeFloat,
    Numbers,
    Options,
    Positive,
    PositiveFloat,
    Section,
    Share,
    Steps,
)
from guanyu_mpi.models.catalogue import ANALYTIC
from guanyu_mpi.models.device import Device
from guanyu_mpi.protocol.contractions import Contractions
from guanyu_mpi.transport.wire import Element


class RunSection(Section):
    """What the run is called, how long it is, and where its randomness comes from."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name of the run, and of its directory below runs/."""
    steps: Steps
    """Number of SGD steps."""
    seed: Count = 0
    """Seed of everything random: initial parameters, batches, attacks, simulated network."""
    start_timeout_s: PositiveFloat = 1800.0
    """Seconds that starting may take: MPI, loading data, reading checkpoints."""
    stall_timeout_s: PositiveFloat = 600.0
    """Seconds without progress that end the job; more than the slowest gradient takes."""
    wall_time_s: NonNegativeFloat = 0.0
    """Seconds from its start in which each rank has saved and left (status 85); 0: no limit."""


class ClusterSection(Section):
    """How many nodes there are, and how many of them may be Byzantine."""

    servers: Nodes
    """Number of parameter servers; 1 is a single trusted one."""
    byzantine_servers: Count = 0
    """How many servers may be Byzantine (f)."""
    server_quorum: Positive | None = None
    """How many servers a step waits for (q); 2f + 3 if absent, all if f = 0."""
    workers: Nodes
    """Number of workers."""
    byzantine_workers: Count = 0
    """How many workers may be Byzantine (f')."""
    worker_quorum: Positive | None = None
    """Workers that a step waits for (q'); if absent 2f' + 3, n' - f' for one server or f' = 0."""

    def resolve(self) -> Cluster:
        """The cluster with its quorums; not yet checked against the bounds."""
        servers = default_quorum(self.servers, self.byzantine_servers)
        workers = default_quorum(self.workers, self.byzantine_workers)
        if self.servers == 1:
            servers, workers = 1, max(1, self.workers - self.byzantine_workers)
        return Cluster(
            servers=self.servers,
            byzantine_servers=self.byzantine_servers,
            server_quorum=self.server_quorum or servers,
            workers=self.workers,
            byzantine_workers=self.byzantine_workers,
            worker_quorum=self.worker_quorum or workers,
        )


class ModelSection(Section):
    """What is trained."""

    name: str
    """A built-in model or "package.module:factory"."""
    options: Options = {}
    """Keyword arguments of the model."""


class DataSection(Section):
    """What it is trained on."""

    name: str
    """A built-in data set or "package.module:factory"."""
    path: str = ""
    """The prepared file; data/NAME.h5 if absent, of mnist-small the package's."""
    options: Options = {}
    """Keyword arguments of the factory."""

    @property
    def file(self) -> Path | None:
        """The prepared file, if one is named."""
        return Path(self.path) if self.path else None


# Models that are their own data set have no examples to batch, and a known optimum.
WITHOUT_DATA = frozenset(ANALYTIC)
WITHOUT_EFFECT_WITHOUT_DATA = ("batch_size", "weight_decay")


class TrainSection(Section):
    """How it is trained."""

    batch_size: Positive = 32
    """Examples per gradient and worker."""
    learning_rate: PositiveFloat
    """Initial learning rate."""
    schedule: str = "constant"
    """How the rate changes with the step."""
    schedule_options: Numbers = {}
    """Options of the schedule."""
    weight_decay: NonNegativeFloat = 0.0
    """Factor of the parameters that is added to the gradient."""
    momentum: Share = 0.0
    """Share that a worker keeps of the average it sends when it adds a gradient; 0: none."""
    contract_every: Positive = 1
    """Steps from one exchange of the servers' updates to the next (T); the last step has one."""


class DeviceSection(Section):
    """Where gradients are computed, and how."""

    name: str = "cpu"
    """"cpu", "cuda" (a node's devices in turn), "cuda:N", or "auto": cuda where there is some."""
    autocast: bool = False
    """Whether gradients are computed with products in bfloat16, where torch holds that safe."""
    compile: bool = False
    """Whether torch.compile is used; every rank compiles at its first gradient."""

    def on(self, local_rank: int) -> Device:
        """The device of one of a node's ranks."""
        return Device(self.name, local_rank, self.autocast, self.compile)

    @property
    def anywhere(self) -> "DeviceSection":
        """The same where that is there, else the CPU: for what need not have the same bits."""
        name = self.name if self.name == "cpu" else "auto"
        return self.model_copy(update={"name": name})


class AggregationSection(Section):
    """How vectors are combined."""

    gradients: str = "multi-krum"
    """Rule F of the servers, on the workers' gradients."""
    gradients_options: Options = {}
    """Options of that rule, such as {m = 5}."""
    pre: tuple[str, ...] = Field(default=(), strict=False)
    """What is done to the gradients before the rule, in this order, such as ["nnm"]."""
    pre_options: dict[str, Options] = {}
    """Options of these, such as {bucketing = {s = 3}}."""
    models: str = "median"
    """Rule on the servers' parameters, at the workers and in phase 3."""
    models_options: Options = {}
    """Options of that rule."""


class TransportSection(Section):
    """How vectors travel."""

    wire_dtype: Literal["float32", "bfloat16"] = "float32"
    """What vectors to and from workers are rounded to on their way."""

    @property
    def element(self) -> Element:
        """The same, as frames have it."""
        return Element[self.wire_dtype.upper()]


class CheckpointSection(Section):
    """When servers save."""

    every: Positive = 100
    """Steps between checkpoints; the last step is always saved."""
    keep: Annotated[int, Field(ge=2)] = 3
    """How many checkpoints a server keeps; two at least, or a kill while saving loses all."""
    keep_every: Count = 0
    """Those of steps that are a multiple of this are kept for good; 0 for none."""


class ObserveSection(Section):
    """When the observer looks."""

    every: Positive = 10
    """Steps between evaluations; the last step is always evaluated."""


class Config(Section):
    """A whole configuration; made by parse_config, which checks it."""

    run: RunSection
    """Name, length and seed."""
    cluster: ClusterSection
    """Servers and workers, and how many of them may be Byzantine."""
    model: ModelSection
    """What is trained."""
    data: DataSection | None = None
    """What it is trained on; absent if the model is its own data."""
    train: TrainSection
    """How it is trained."""
    device: DeviceSection = DeviceSection()
    """Where gradients are computed, and how."""
    aggregation: AggregationSection = AggregationSection()
    """How vectors are combined."""
    transport: TransportSection = TransportSection()
    """How vectors travel."""
    attack: AttacksSection = AttacksSection()
    """Who attacks, and how."""
    faults: FaultsSection = FaultsSection()
    """Who is struck by faults of the machine, when, and how."""
    checkpoint: CheckpointSection = CheckpointSection()
    """When servers save."""
    observe: ObserveSection = ObserveSection()
    """When the observer looks."""
    simulation: SimulationSection = SimulationSection()
    """The simulated network."""

    @property
    def nodes(self) -> Cluster:
        """The cluster with its quorums."""
        return self.cluster.resolve()

    @property
    def contractions(self) -> Contractions:
        """At which steps servers exchange updates."""
        return Contractions(self.train.contract_every, self.run.steps)

    @property
    def attackers(self) -> frozenset[Node]:
        """The nodes that attack."""
        return frozenset(
            Node(role, index)
            for role, section, nodes in (
                (Role.SERVER, self.attack.servers, self.cluster.servers),
                (Role.WORKER, self.attack.workers, self.cluster.workers),
            )
            for index in section.attackers(nodes)
        )
