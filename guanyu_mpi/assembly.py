"""From a configuration and a node to that node with its ports; one for both roots."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from guanyu_mpi import data, models, resilience
from guanyu_mpi.account import Account
from guanyu_mpi.accounted import shell
from guanyu_mpi.aggregation import Aggregator
from guanyu_mpi.attackers import Attackers
from guanyu_mpi.cluster import OBSERVER, Node, Role
from guanyu_mpi.config import Config
from guanyu_mpi.config.aggregators import gradients_aggregator, models_aggregator
from guanyu_mpi.config.injections import injections, struck
from guanyu_mpi.cores import ALL_RANKS, Share
from guanyu_mpi.errors import CheckpointError, ConfigError
from guanyu_mpi.estimates import deviation_max, estimator
from guanyu_mpi.faults.injector import Injector, RawNetwork
from guanyu_mpi.journal import Journal, observer_log, rank_log
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.momentum import Momenta
from guanyu_mpi.monitor import Monitor
from guanyu_mpi.node import Ports
from guanyu_mpi.observer import Observer
from guanyu_mpi.protocol.effects import Commit, Consumed, Core
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore
from guanyu_mpi.saves import Saves, Start
from guanyu_mpi.saving import Saving
from guanyu_mpi.schedules import bind_schedule
from guanyu_mpi.spawn import Spawn, at_once
from guanyu_mpi.trace import Traces
from guanyu_mpi.transport.participant import Participant
from guanyu_mpi.transport.wire import Decoder

Send: TypeAlias = Callable[[Sequence[Node], Message], None]
Clock: TypeAlias = Callable[[], float]


class Assembly:
    """Makes the participants of a run; what they share, they share within a process.

    Servers of a built-in model load neither data nor torch; others take a node's devices in turn.
    """

    def __init__(self, config: Config, run_dir: Path | None, share: Share = ALL_RANKS) -> None:
        self.config = config
        self.cluster = config.nodes
        self._run_dir = run_dir
        self._share = share
        self.saves = Saves(config, self.spec, run_dir)
        self.savings: dict[Node, Saving] = {}  # of servers, once they are made
        self.momenta = Momenta(config, self.saves, self.spec.dimension, run_dir)
        self.traces = Traces(config, run_dir)
        self.attackers = Attackers(config)

    @cached_property
    def spec(self) -> models.ModelSpec:
        """What is known of the model without computing a gradient."""
        model = self.config.model
        return models.describe(model.name, model.options, self.config.run.seed)

    @property
    def decoder(self) -> Decoder:
        """What opens the frames of this run."""
        numbers, spies = resilience.num_numbers(self.cluster.workers), self.attackers.spies
        steps, narrowed = self.config.run.steps, self.config.transport.element
        every = self.config.train.contract_every
        return Decoder(self.spec.dimension, steps, numbers, spies, narrowed, every)

    @cached_property
    def objective(self) -> models.Objective:
        """What workers minimise and the observer evaluates; loads data and torch if need be."""
        model, train, seed = self.config.model, self.config.train, self.config.run.seed
        if self.config.data is None:
            return models.objective(model.name, model.options, seed)
        section = self.config.data
        train_split, test_split = data.load(section.name, section.file, section.options)
        return models.objective(
            model.name,
            model.options,
            seed,
            batches=self.attackers.poisoned(data.Batches(train_split, train.batch_size, seed)),
            test=test_split,
            weight_decay=train.weight_decay,
            device=self.config.device.on(self._share.local_rank),
        )

    @cached_property
    def contraction(self) -> Aggregator:
        """The rule on servers' vectors."""
        return models_aggregator(self.config.aggregation, self.cluster, ahead=self._share.own_core)

    @cached_property
    def gar(self) -> Aggregator:
        """The rule on gradients."""
        return gradients_aggregator(
            self.config.aggregation, self.cluster, ahead=self._share.own_core
        )

    @cached_property
    def rate(self) -> Callable[[int], float]:
        """The learning rate of a step."""
        train = self.config.train
        return bind_schedule(train.schedule, train.learning_rate, **train.schedule_options)

    def prepare(self, node: Node) -> None:
        """Load what a node needs, so that what is wrong with it is known before anyone starts.

        Raises CheckpointError, DataError or ConfigError.
        """
        if node.role is Role.SERVER:
            self.saves.start(node)
        else:
            _ = self.objective
            self.momenta.start(node)
        if self.cluster.rank(node) == 0:
            self.traces.begin()

    def participant(
        self,
        node: Node,
        *,
        send: Send,
        clock_s: Clock,
        spawn: Spawn = at_once,
        raw: RawNetwork | None = None,
        account: Account | None = None,
    ) -> Participant:
        """The node, ready to be driven by a transport; `spawn` evaluates and saves.

        Faults strike through `raw`; raises ConfigError if they are to, and there is none.
        """
        # Before anything is begun.
        if raw is None and injections(self.cluster, self.config.faults):
            raise ConfigError(
                "faults.inject: faults strike real processes only, and a simulation has none; "
                "use `guanyu launch`, or --set faults.inject=[]"
            )
        journal = self._journal(node, clock_s, account)
        if node == OBSERVER:
            return self._observer(journal, clock_s, spawn)
        journal.started()
        core = self._server(node, journal) if node.role is Role.SERVER else self._worker(node)
        ports = Ports(
            send=self.attackers.overheard(node, send),
            gradient=self._gradient_of(node, journal),
            estimate=estimator(self.config, node),
            commit=self._commit_of(node, journal, clock_s, spawn),
            rejected=journal.rejected,
            halted=journal.halted,
            observe_every=self.config.observe.every,
            steps=self.config.run.steps,
            consumed=self._consumed_of(node, journal),
        )
        ports = self._struck(ports, node, journal, raw)
        return shell(node, self.cluster, self.attackers.corrupted(core, node), ports, account)

    def _observer(self, journal: Journal, clock_s: Clock, spawn: Spawn) -> Observer:
        gradients, deviation = self.config.aggregation.gradients, deviation_max(self.config)
        return Observer(
            self.cluster,
            evaluate=self.objective.evaluate,
            contraction=self.contraction,
            attackers=self.config.attackers | struck(self.config),
            steps=self.config.run.steps,
            clock_s=clock_s,
            monitor=Monitor(self.cluster, gradients, deviation),
            report=journal.observed,
            warn=journal.warned,
            spawn=spawn,
        )

    def _server(self, node: Node, journal: Journal) -> Core:
        start = self.saves.start(node)
        self._begin(node, start, journal)
        return ServerCore(
            node,
            self.cluster,
            params=start.params,
            step=start.step,
            steps=self.config.run.steps,
            rate=self.rate,
            gar=self.gar,
            contraction=self.contraction,
            contract_every=self.config.train.contract_every,
        )

    def _begin(self, node: Node, start: Start, journal: Journal) -> None:
        """Say where a server goes on, and have its files agree with that."""
        if start.sources:
            journal.restored(start.step, start.sources, [str(fault) for fault in start.faults])
        try:
            self.saves.begin(node)
        except CheckpointError as error:
            journal.not_saved(start.step, str(error))

    def _worker(self, node: Node) -> Core:
        start = self.momenta.start(node)
        step, steps = start.step if start else 0, self.config.run.steps
        return WorkerCore(node, self.cluster, steps=steps, contraction=self.contraction, step=step)

    def _struck(self, ports: Ports, node: Node, journal: Journal, raw: RawNetwork | None) -> Ports:
        """The ports, behind what strikes this node if the experiment wants it struck."""
        found = injections(self.cluster, self.config.faults)
        mine = [one for one in found if one.node == node and not journal.has_suffered(one)]
        if not mine or raw is None:
            return ports
        seed = self.config.run.seed
        return Injector(mine, raw, self.decoder, seed, journal.struck).between(ports)

    def _gradient_of(self, node: Node, journal: Journal) -> Callable[[Vector, int], Vector]:
        sent = self.momenta.sender(node, journal)

        def gradient(params: Vector, step: int) -> Vector:
            loss, vector = self.objective.gradient(params, node.index, step)
            journal.gradient(step, loss)
            return sent(step, vector)

        return gradient

    def _consumed_of(self, node: Node, journal: Journal) -> Callable[[Consumed], None]:
        start = self.saves.start(node) if node.role is Role.SERVER else self.momenta.start(node)
        return self.traces.recorder(node, start, journal.not_traced)

    def _commit_of(
        self, node: Node, journal: Journal, clock_s: Clock, spawn: Spawn
    ) -> Callable[[Commit], None]:
        store = self.saves.store(node) if node.role is Role.SERVER else None
        if store is None:
            return journal.commit
        life, begun = self.traces.life, self.saves.start(node).step
        self.savings[node] = saving = Saving(
            self.config, store, self.rate, life, begun, spawn=spawn, told=journal, clock_s=clock_s
        )

        def commit(commit: Commit) -> None:
            journal.commit(commit)
            saving.commit(commit)

        return commit

    def _journal(self, node: Node, clock_s: Clock, account: Account | None) -> Journal:
        root, rank = self._run_dir, self.cluster.rank(node)
        path = root and (observer_log(root) if node == OBSERVER else rank_log(root, rank))
        usage = account.usage if account else None
        every = self.config.observe.every
        return Journal(path, node, clock_s, every, usage, life=self.traces.life)
