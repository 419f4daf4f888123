"""A configuration that is written out in full is read back as the same."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from config_cases import DIGITS, TRUSTED, config_of, raw_of
from hypothesis import given
from hypothesis import strategies as st

from guanyu_mpi.config import Config, config_toml, load_config, parse_config
from guanyu_mpi.errors import ConfigError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))

EVERYTHING = {
    "run.seed": 7,
    "cluster.servers": 9,
    "cluster.server_quorum": 7,
    "model.options": {"dimension": 3, "mu": 1e-3, "L": 2, "sigma": 0.0},
    "train.schedule": "inverse-time",
    "train.schedule_options": {"half_life": 12.5},
    "aggregation": {
        "gradients": "geometric-median",
        "gradients_options": {"iterations": 3},
        "pre": ["bucketing", "nnm"],
        "pre_options": {"bucketing": {"s": 1}},
        "models": "median",
    },
    "attack.workers": {"name": "gaussian", "indices": [0, 3], "options": {"std": 5}},
    "attack.servers": {"name": "mute", "count": 1},
    "checkpoint": {"every": 3, "keep": 5},
    "observe.every": 1,
    "transport.wire_dtype": "bfloat16",
    "simulation": {
        "delay": "pareto",
        "slow": {"server-2": 50.0},
        "links": [{"sender": "server-0", "receiver": "worker-1", "delay_ms_mean": 3}],
        "partitions": [{"nodes": ["server-1", "worker-2"], "start_s": 0, "end_s": 1e9}],
    },
}


def again(config: Config) -> Config:
    return parse_config(tomllib.loads(config_toml(config)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        EVERYTHING,
        {**DIGITS, "train.batch_size": 8, "train.weight_decay": 1e-4},
        {**DIGITS, **TRUSTED, "aggregation.gradients": "average"},
        {"attack.workers": {"name": "mute", "count": 0}},
    ],
    ids=["base", "everything", "digits", "trusted", "switched-off"],
)
def test_a_config_survives_being_written_out(changes: dict[str, object]) -> None:
    config = config_of(changes)
    assert again(config) == config


def test_writing_out_twice_changes_nothing() -> None:
    text = config_toml(config_of(EVERYTHING))
    assert config_toml(parse_config(tomllib.loads(text))) == text


def test_defaults_are_written_out() -> None:
    """So that a run directory tells what was done, whatever the defaults of tomorrow are."""
    resolved = tomllib.loads(config_toml(config_of({})))
    assert resolved["aggregation"]["gradients"] == "multi-krum"
    assert resolved["aggregation"]["models"] == "median"
    assert resolved["checkpoint"] == {"every": 100, "keep": 3, "keep_every": 0}
    assert resolved["run"]["seed"] == 0


def test_what_would_have_no_effect_is_not_written_out() -> None:
    assert "batch_size" not in config_toml(config_of({}))
    assert "batch_size" in config_toml(config_of(DIGITS))


def test_options_of_a_factory_survive_whatever_toml_can_say(tmp_path: Path) -> None:
    options: dict[str, object] = {
        "day": date(2026, 1, 31),
        "moment": datetime(2026, 1, 31, 12, tzinfo=UTC),
        "nested": {"list": [1, 2.5, "x", [True]], "inf": float("inf")},
        "text": 'quotes " and \n lines, ü',
    }
    config = config_of({}).model_copy(update={"model": model_with(options)})
    assert tomllib.loads(config_toml(config))["model"]["options"] == options


def model_with(options: dict[str, object]) -> object:
    model = config_of({}).model
    return model.model_copy(update={"name": "json:loads", "options": options})


finite = st.floats(min_value=0, max_value=1e30, allow_nan=False, exclude_min=True)


@given(
    changes=st.fixed_dictionaries(
        {
            "run.name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]*", fullmatch=True),
            "run.steps": st.integers(1, 4 * 10**9 - 1),
            "run.seed": st.integers(0, 2**80),
            "cluster.servers": st.integers(6, 1000),
            "cluster.workers": st.integers(6, 1000),
            "train.learning_rate": finite,
            "attack.workers": st.fixed_dictionaries(
                {"name": st.just("gaussian"), "options": st.fixed_dictionaries({"std": finite})},
                optional={"count": st.integers(1, 6)},
            ).map(lambda attack: {"count": 0, **attack}),
            "simulation.slow": st.dictionaries(
                st.sampled_from(["server-0", "server-5", "worker-3"]), finite
            ),
        }
    )
)
def test_any_config_survives_being_written_out(changes: dict[str, object]) -> None:
    config = config_of(changes)
    assert again(config) == config


def test_parsing_does_not_write_into_what_it_is_given() -> None:
    raw = raw_of(EVERYTHING)
    parse_config(raw)
    assert raw == raw_of(EVERYTHING)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_that_ships_is_good(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a data file is not on this machine, that is its only fault."""
    monkeypatch.chdir(ROOT)
    try:
        config = load_config(path)
    except ConfigError as error:
        others = [fault for fault in error.faults if "guanyu data prepare" not in fault]
        assert others == []
        pytest.skip(f"its data file is not here: {error}")
    assert again(config) == config
    assert config.run.name == path.stem


def test_configs_ship() -> None:
    assert "quickstart" in [path.stem for path in CONFIGS]
