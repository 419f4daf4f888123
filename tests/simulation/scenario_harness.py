"""Runs a scenario of tests/simulation/scenarios with a seed, and judges it.

A scenario is a configuration; what it must show follows from what it injects.
"""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from scenario_watch import Watch, faults_that_did_not_happen

from guanyu_mpi import models
from guanyu_mpi.cluster import Role
from guanyu_mpi.config import Config, config_toml, parse_config
from guanyu_mpi.config.experiment import AttacksSection, SimulationSection
from guanyu_mpi.simulation import Simulated, simulate

Raw: TypeAlias = dict[str, dict[str, object]]

FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))

# How much of the initial loss may be left above the fault-free run's final loss. With 30 steps at
# rate 0.3 the initial loss falls by two orders of magnitude, so that a run that is led astray, or
# stops half-way, is far above it.
EXCESS_LOSS_MAX = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one run of a scenario ended; losses are exact and of the last step."""

    scenario: str
    seed: int
    left_behind: tuple[str, ...]
    memory_max: float
    jumps: int
    drift_max: float
    loss: float
    fault_free_loss: float
    violations: tuple[str, ...]
    trace_hash: str


def load(scenario: str, folder: Path = FOLDER) -> Raw:
    """A scenario as its file gives it."""
    return tomllib.loads((folder / f"{scenario}.toml").read_text(encoding="utf-8"))


def judge(raw: Raw, seed: int) -> Verdict:
    """Run a scenario, its fault-free twin, and for each cut its twin without that cut."""
    config = _config(raw, seed)
    watch = Watch(config)
    result = simulate(config, on_event=watch.on_event, on_send=watch.on_send)
    fault_free = _fault_free(config_toml(_without_faults(config)))
    loss, fault_free_loss = _loss(result), _loss(fault_free)
    left_behind = tuple(str(node) for node in result.unfinished(config))
    violations = [*watch.violations, *(f"{node} was left behind" for node in left_behind)]
    if not left_behind:
        violations += faults_that_did_not_happen(config, watch, result, _uncut_s(config))
    # Not above, rather than below: a loss that is not a number is no good either.
    if not loss - fault_free_loss <= EXCESS_LOSS_MAX * _initial_loss(config):
        violations.append(f"the final loss is {loss:.3g}, fault-free {fault_free_loss:.3g}")
    return Verdict(
        config.run.name,
        seed,
        left_behind,
        watch.memory_max,
        sum(times for node, times in watch.skips.items() if node.role is Role.SERVER),
        watch.drift_max,
        loss,
        fault_free_loss,
        tuple(violations),
        result.trace_hash,
    )


def _config(raw: Raw, seed: int) -> Config:
    return parse_config({**raw, "run": {**raw["run"], "seed": seed}})


def _without_faults(config: Config) -> Config:
    """The same run if all is well; its name is that of no scenario, as several are the same."""
    return config.model_copy(
        update={
            "run": config.run.model_copy(update={"name": "all-is-well"}),
            "attack": AttacksSection(),
            "simulation": SimulationSection(),
        }
    )


def _uncut_s(config: Config) -> list[float]:
    """For each cut, how long the scenario takes without it, in virtual time."""
    cuts = config.simulation.partitions
    return [_without_cut(config, index) for index in range(len(cuts))]


def _without_cut(config: Config, index: int) -> float:
    cuts = config.simulation.partitions
    rest = {"partitions": cuts[:index] + cuts[index + 1 :]}
    simulation = config.simulation.model_copy(update=rest)
    return simulate(config.model_copy(update={"simulation": simulation})).virtual_s


@lru_cache(maxsize=8)
def _fault_free(toml: str) -> Simulated:
    """A run that several scenarios are compared with."""
    return simulate(parse_config(tomllib.loads(toml)))


def _loss(result: Simulated) -> float:
    return result.observation.loss if result.observation else float("nan")


def _initial_loss(config: Config) -> float:
    model, seed = config.model, config.run.seed
    initial = models.describe(model.name, model.options, seed).initial_params()
    return models.objective(model.name, model.options, seed).evaluate(initial).loss
