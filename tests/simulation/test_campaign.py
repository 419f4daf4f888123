"""Every scenario with a few seeds; benchmarks/simulator/campaign.py runs the same with many.

A failure prints the command that repeats it.
"""

import math
from pathlib import Path

import pytest
from scenario_harness import SCENARIOS, Raw, judge, load

from guanyu_mpi.config import parse_config
from guanyu_mpi.simulation import simulate

SEEDS = (1, 2)
DEATHS = Path(__file__).parent / "deaths"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_all_honest_nodes_finish_near_the_optimum_whatever_is_injected(
    scenario: str, seed: int
) -> None:
    verdict = judge(load(scenario), seed)
    repeat = f"python benchmarks/simulator/campaign.py --scenario {scenario} --seed {seed}"
    assert not verdict.violations, f"{verdict.violations}: {repeat}"


def test_a_scenario_is_called_like_its_file() -> None:
    assert len(SCENARIOS) >= 8
    assert [load(scenario)["run"]["name"] for scenario in SCENARIOS] == list(SCENARIOS)


@pytest.mark.parametrize("role", ["servers", "workers"])
def test_the_first_attacks_are_each_in_a_scenario_by_as_many_as_are_tolerated(role: str) -> None:
    injected = set()
    for raw in map(load, SCENARIOS):
        section = raw.get("attack", {}).get(role, {"count": 0})
        if section["count"] == raw["cluster"][f"byzantine_{role}"]:
            injected.add(section["name"])
    assert injected >= {"reverse", "gaussian", "nan", "mute", "equivocate"}


def test_the_same_seed_repeats_a_scenario_to_the_bit() -> None:
    raw = load("pareto-delays")
    assert judge(raw, 1) == judge(raw, 1)
    assert judge(raw, 1).trace_hash != judge(raw, 2).trace_hash


def attack(name: str, **options: float) -> Raw:
    section = {"name": name, "count": 1, "options": options}
    return {"attack": {"servers": section, "workers": section}}


@pytest.mark.parametrize(
    ("faults", "complaint"),
    [
        (attack("equivocate", std=1e-30), "server-05 did not attack by equivocate"),
        (attack("reverse", scale=1.0), "worker-05 did not attack by reverse"),
        ({"simulation": {"slow": {"server-3": 1.0}}}, "server-03 was not slow"),
        ({"simulation": {"delay": "pareto", "delay_ms_mean": 1e-3}}, "no message was late"),
        (
            {"simulation": {"partitions": [{"nodes": ["server-1"], "start_s": 9, "end_s": 9.5}]}},
            "the cut of server-1 held nothing back",
        ),
    ],
    ids=["equivocate", "reverse", "slow", "late", "cut"],
)
def test_a_fault_without_effect_is_a_violation(faults: Raw, complaint: str) -> None:
    raw = {**load("fault-free"), **faults}
    assert complaint in judge(raw, seed=1).violations


def test_a_run_that_more_attackers_than_are_tolerated_lead_astray_is_a_violation() -> None:
    raw = load("attackers-gaussian")
    raw["attack"]["workers"] = {"name": "gaussian", "count": 4, "options": {"std": 5.0}}
    verdict = judge(raw, seed=1)
    assert any("the final loss is" in violation for violation in verdict.violations)
    assert not math.isclose(verdict.loss, verdict.fault_free_loss)


def test_a_node_that_does_not_finish_is_a_violation() -> None:
    raw = load("attackers-mute")
    raw["attack"]["servers"] = {"name": "mute", "count": 3}
    verdict = judge(raw, seed=1)
    assert "server-00 was left behind" in verdict.violations
    assert "observer-00" in verdict.left_behind


@pytest.mark.parametrize("scenario", sorted(path.stem for path in DEATHS.glob("*.toml")))
def test_the_last_step_is_seen_long_before_the_dead_return(scenario: str) -> None:
    config = parse_config(load(scenario, DEATHS))
    (death,) = config.simulation.partitions
    observation = simulate(config).observation
    assert observation is not None
    assert observation.time_s < death.end_s
