"""What must hold across the sections of a configuration, each fault in the user's words.

A check names the sections it reads, so that those that were readable are checked even when
another was not: the user sees every fault at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from guanyu_mpi import data, models
from guanyu_mpi.aggregation import RULES
from guanyu_mpi.attacks import ATTACKS, bind_attack, crowd_faults
from guanyu_mpi.config.aggregators import gradients_aggregator, models_aggregator
from guanyu_mpi.config.conditions import simulation_faults
from guanyu_mpi.config.device import device_faults, unused_device_faults
from guanyu_mpi.config.experiment import AttackSection, AttacksSection
from guanyu_mpi.config.injections import injection_faults
from guanyu_mpi.config.sections import (
    WITHOUT_DATA,
    WITHOUT_EFFECT_WITHOUT_DATA,
    AggregationSection,
    CheckpointSection,
    ClusterSection,
    DataSection,
    ModelSection,
    RunSection,
    TrainSection,
)
from guanyu_mpi.data.prepare import RECIPES
from guanyu_mpi.errors import ConfigError, DataError, unknown
from guanyu_mpi.factories import is_factory
from guanyu_mpi.models.catalogue import ARCHITECTURES
from guanyu_mpi.schedules import SCHEDULES, bind_schedule
from guanyu_mpi.transport.wire import FRAME_BYTES_MAX, frame_bytes

Faults: TypeAlias = list[str]


def cluster_faults(cluster: ClusterSection) -> Faults:
    """The bounds of GuanYu, or of a single trusted server."""
    return cluster.resolve().faults()


def aggregation_faults(aggregation: AggregationSection) -> Faults:
    """Rules that are known."""
    chosen = (("gradients", aggregation.gradients), ("models", aggregation.models))
    return [
        f"aggregation.{key}: {unknown('aggregation rule', name, RULES)}"
        for key, name in chosen
        if name not in RULES
    ]


def rule_faults(cluster: ClusterSection, aggregation: AggregationSection) -> Faults:
    """Each rule's own condition on how many vectors it is given."""
    nodes = cluster.resolve()
    if nodes.faults() or aggregation_faults(aggregation):
        return []
    gradients = _caught(
        lambda: gradients_aggregator(aggregation, nodes),
        f"aggregation.gradients, with cluster.worker_quorum = {nodes.worker_quorum}: ",
    )
    return gradients + _caught(
        lambda: models_aggregator(aggregation, nodes),
        f"aggregation.models, with cluster.server_quorum = {nodes.server_quorum}: ",
    )


def attack_faults(cluster: ClusterSection, attack: AttacksSection) -> Faults:
    """Known attacks, on nodes that exist."""
    return _attack_faults("workers", attack.workers, cluster.workers) + _attack_faults(
        "servers", attack.servers, cluster.servers
    )


def _attack_faults(noun: str, attack: AttackSection, nodes: int) -> Faults:
    where = f"attack.{noun}"
    faults = []
    if attack.count and attack.indices:
        faults.append(f"{where}: count and indices exclude each other")
    anybody = attack.count or attack.indices
    if anybody and not attack.name:
        faults.append(f"{where}.name is missing: {where} says who attacks but not how")
    if attack.name and not anybody and "count" not in attack.model_fields_set:
        faults.append(
            f"{where}.name = {attack.name!r} but nobody attacks: "
            f"{where}.count or {where}.indices is missing (count = 0 for nobody)"
        )
    if attack.options and not attack.name:
        faults.append(f"{where}.options has no effect: {where}.name is missing")
    if attack.count > nodes:
        faults.append(f"{where}.count = {attack.count}: there are only {nodes} {noun}")
    beyond = [index for index in attack.indices if index >= nodes]
    if beyond:
        faults.append(f"{where}.indices = {beyond}: the {noun} are 0 to {nodes - 1}")
    if len(set(attack.indices)) < len(attack.indices):
        faults.append(f"{where}.indices = {list(attack.indices)}: an index is there twice")
    if attack.name:
        faults += _caught(lambda: bind_attack(attack.name, **attack.options), f"{where}: ")
    if attack.name and anybody and not faults:
        attackers = len(attack.attackers(nodes))
        found = crowd_faults(attack.name, attack.options, nodes=nodes, attackers=attackers)
        faults += [f"{where}: {fault}" for fault in found]
    return faults


def label_faults(model: ModelSection, attack: AttacksSection) -> Faults:
    """Attacks on data, by those who have some."""
    faults = []
    for noun, section in (("servers", attack.servers), ("workers", attack.workers)):
        what = f"attack.{noun}.name = {section.name!r}"
        if section.name not in ATTACKS or not ATTACKS[section.name].in_data:
            continue
        if noun == "servers":
            faults.append(f"{what}: servers have no labels to flip; workers do")
        elif model.name in WITHOUT_DATA:
            faults.append(f"{what}: model {model.name!r} has no labels to flip")
    return faults


def checkpoint_faults(checkpoint: CheckpointSection) -> Faults:
    """Nothing to keep that is never saved."""
    every, keep_every = checkpoint.every, checkpoint.keep_every
    if keep_every % every == 0:
        return []
    return [
        f"checkpoint.keep_every = {keep_every} is no multiple of checkpoint.every = {every}: "
        "of steps in between nothing is saved"
    ]


def contraction_faults(
    cluster: ClusterSection, train: TrainSection, checkpoint: CheckpointSection
) -> Faults:
    """Several servers that contract, and checkpoints of what they have agreed on."""
    every, saved_every = train.contract_every, checkpoint.every
    if every > 1 and cluster.servers == 1:
        return [
            f"train.contract_every = {every} has no effect: "
            "a single server (cluster.servers = 1) exchanges nothing"
        ]
    if saved_every % every == 0:
        return []
    return [
        f"checkpoint.every = {saved_every} is no multiple of train.contract_every = {every}: "
        "in between each server goes on alone, and a restart takes a step that they agree on"
    ]


def schedule_faults(train: TrainSection) -> Faults:
    """A known schedule with options that it has."""
    key = "schedule_options" if train.schedule in SCHEDULES else "schedule"
    return _caught(
        lambda: bind_schedule(train.schedule, train.learning_rate, **train.schedule_options),
        f"train.{key}: ",
    )


def model_faults(run: RunSection, model: ModelSection) -> Faults:
    """A model that can be built, and whose vectors MPI can send whole."""
    described: list[models.ModelSpec] = []
    faults = _caught(
        lambda: described.append(models.describe(model.name, model.options, run.seed)), ""
    )
    for spec in described:
        size_bytes = frame_bytes(spec.dimension)
        if size_bytes > FRAME_BYTES_MAX:
            faults.append(
                f"model.name = {model.name!r} has {spec.dimension} parameters: a message of "
                f"{size_bytes} bytes is above the {FRAME_BYTES_MAX} that MPI's counts can express"
            )
    return faults


def data_faults(model: ModelSection, data_section: DataSection | None) -> Faults:
    """Data where the model needs it, and only there; a prepared file of the right kind."""
    if model.name in WITHOUT_DATA:
        without = f"[data] has no effect: model {model.name!r} is its own data"
        return [without] if data_section else []
    if data_section is None:
        known = model.name in models.MODELS or is_factory(model.name)
        return [f"[data] is missing: model {model.name!r} needs data"] if known else []
    section = data_section
    return _caught(lambda: data.check(section.name, section.file, section.options), "")


def shape_faults(model: ModelSection, section: DataSection | None) -> Faults:
    """Images of the shape that the model takes, where both are known without trying."""
    if section is None or section.name not in RECIPES or model.name not in ARCHITECTURES:
        return []
    takes, has = ARCHITECTURES[model.name].image_shape, RECIPES[section.name].image_shape
    if takes == has:
        return []
    return [
        f"model.name = {model.name!r} takes images of shape {takes}: "
        f"those of data.name = {section.name!r} have {has}"
    ]


def unused_train_faults(model: ModelSection, train: TrainSection) -> Faults:
    """No key without effect."""
    if model.name not in WITHOUT_DATA:
        return []
    return [
        f"train.{key} has no effect: model {model.name!r} has no examples, and a known optimum"
        for key in WITHOUT_EFFECT_WITHOUT_DATA
        if key in train.model_fields_set
    ]


def _caught(attempt: Callable[[], object], prefix: str) -> Faults:
    """Faults of an attempt that raises what it finds."""
    try:
        attempt()
    except ConfigError as error:
        return [prefix + fault for fault in error.faults]
    except DataError as error:
        return [prefix + str(error)]
    return []


@dataclass(frozen=True, slots=True)
class Check:
    """A function from sections to faults, and the sections it takes, in order."""

    sections: tuple[str, ...]
    function: Callable[..., Faults]


CHECKS = (
    Check(("cluster",), cluster_faults),
    Check(("aggregation",), aggregation_faults),
    Check(("cluster", "aggregation"), rule_faults),
    Check(("cluster", "attack"), attack_faults),
    Check(("model", "attack"), label_faults),
    Check(("train",), schedule_faults),
    Check(("checkpoint",), checkpoint_faults),
    Check(("cluster", "train", "checkpoint"), contraction_faults),
    Check(("run", "model"), model_faults),
    Check(("model", "data"), data_faults),
    Check(("model", "data"), shape_faults),
    Check(("model", "train"), unused_train_faults),
    Check(("device",), device_faults),
    Check(("model", "device"), unused_device_faults),
    Check(("cluster", "simulation"), simulation_faults),
    Check(("run", "cluster", "faults"), injection_faults),
)
