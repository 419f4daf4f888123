"""Configurations of any shape: checked, or refused by ConfigError and nothing else."""

import copy
import resource
import tomllib

import pytest
from fuzz_targets import TINY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guanyu_mpi.aggregation import RULES
from guanyu_mpi.attacks import ATTACKS
from guanyu_mpi.config import Config, config_toml, parse_config
from guanyu_mpi.data.prepare import RECIPES
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import MODELS
from guanyu_mpi.schedules import SCHEDULES

HONEST = tomllib.loads(TINY)
NAMES = [*RULES, *ATTACKS, *RECIPES, *MODELS, *SCHEDULES, "constant", "pareto", "server-2", "nnm"]
# As TOML can express them: whole numbers have 64 bits there, and here more.
NUMBERS = st.integers() | st.sampled_from([2**31, 2**63, 10**9, 10**18, -1, 0]) | st.floats()
LEAVES = NUMBERS | st.booleans() | st.text(max_size=20) | st.sampled_from(NAMES) | st.dates()
KEYS = st.text(max_size=10) | st.sampled_from([*Config.model_fields, "name", "options", "count"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)


def paths(table: object, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key of a table, and of the tables in it."""
    if not isinstance(table, dict):
        return []
    own = [(*above, key) for key in table]
    return own + [path for key in table for path in paths(table[key], (*above, key))]


@st.composite
def changed(draw: st.DrawFn) -> dict[str, object]:
    """An honest configuration with some values replaced, removed and added."""
    raw = copy.deepcopy(HONEST)
    for _ in range(draw(st.integers(1, 4))):
        *above, last = draw(st.sampled_from(paths(raw)))
        table = raw
        for key in above:
            table = table[key]
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "replace":
                table[last] = draw(VALUES)
            case "remove":
                del table[last]
            case "add":
                table[draw(KEYS)] = draw(VALUES)
    return raw


def checked(raw: dict[str, object]) -> Config | None:
    try:
        return parse_config(raw)
    except ConfigError as error:
        assert error.faults
        assert all(fault.strip() for fault in error.faults)
        return None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=changed())
def test_a_changed_configuration_is_checked_or_refused(raw: dict[str, object]) -> None:
    config = checked(raw)
    if config is None:
        return
    assert config.nodes.faults() == []
    assert parse_config(tomllib.loads(config_toml(config))) == config


@settings(max_examples=100, deadline=None)
@given(raw=st.dictionaries(KEYS, VALUES, max_size=5))
def test_a_table_of_anything_is_refused(raw: dict[str, object]) -> None:
    assert checked(raw) is None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [10**6, 10**9, 2**62, 10**30])
def test_a_configuration_costs_no_memory_before_it_runs(model: str, size: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    raw = copy.deepcopy(HONEST)
    raw["model"] = {"name": model, "options": {"dimension": size, "examples": size}}
    raw["cluster"]["workers"] = size
    raw["run"]["steps"] = size
    checked(raw)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 200_000
