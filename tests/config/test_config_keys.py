"""Keys that do not exist, are missing, or have values of a wrong kind."""

from collections.abc import Iterator

import pytest
from config_cases import config_of, faults_of
from pydantic import BaseModel

from guanyu_mpi.config import Config
from guanyu_mpi.config.wording import section_at

SECTIONS = (
    "aggregation, attack, checkpoint, cluster, data, device, faults, model, observe, run, "
    "simulation, train, transport"
)
ATTACK = "count, indices, name, options"


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("clutser", {}, f"unknown section clutser; did you mean 'cluster'? known: {SECTIONS}"),
        ("xyz", {}, f"unknown section xyz; known: {SECTIONS}"),
        ("steps", 20, f"unknown key steps; did you mean run.steps? known: {SECTIONS}"),
        (
            "run.step",
            5,
            "unknown key run.step; did you mean 'steps'? "
            "known: name, seed, stall_timeout_s, start_timeout_s, steps, "
            "wall_time_s",
        ),
        (
            "observe.batch_size",
            5,
            "unknown key observe.batch_size; did you mean train.batch_size? known: every",
        ),
        (
            "attack.worker",
            {},
            "unknown key attack.worker; did you mean 'workers'? known: servers, workers",
        ),
        (
            "attack.workers.cuont",
            1,
            f"unknown key attack.workers.cuont; did you mean 'count'? known: {ATTACK}",
        ),
    ],
)
def test_an_unknown_key_is_told_with_what_is_near(key: str, value: object, fault: str) -> None:
    assert faults_of({key: value}) == [fault]


def test_an_unknown_key_within_an_array_is_told_with_its_place() -> None:
    cut = {"nodes": ["server-1"], "start_s": 0, "end_s": 1}
    misspelt = {"nodes": ["server-1"], "strat_s": 0, "end_s": 1}
    assert faults_of({"simulation.partitions": [cut, misspelt]}) == [
        "simulation.partitions[1].start_s is missing: when the cut begins, in seconds of "
        "virtual time",
        "unknown key simulation.partitions[1].strat_s; did you mean 'start_s'? "
        "known: end_s, nodes, start_s",
    ]


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("run.name", "run.name is missing: name of the run, and of its directory below runs/"),
        ("run.steps", "run.steps is missing: number of SGD steps"),
        (
            "cluster.servers",
            "cluster.servers is missing: number of parameter servers; 1 is a single trusted one",
        ),
        ("cluster.workers", "cluster.workers is missing: number of workers"),
        ("model.name", 'model.name is missing: a built-in model or "package.module:factory"'),
        ("train.learning_rate", "train.learning_rate is missing: initial learning rate"),
    ],
)
def test_a_missing_key_is_told_with_what_it_is_for(key: str, fault: str) -> None:
    assert faults_of({}, without=[key]) == [fault]


def test_of_a_missing_section_every_required_key_is_told() -> None:
    faults = faults_of({}, without=["run", "train"])
    assert [fault.split(" is missing")[0] for fault in faults] == [
        "run.name",
        "run.steps",
        "train.learning_rate",
    ]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("run.steps", "20", "'20': must be a whole number"),
        ("run.steps", True, "true: must be a whole number"),
        ("run.steps", 20.0, "20.0: must be a whole number"),
        ("run.steps", 0, "0: must be >= 1"),
        ("run.steps", -3, "-3: must be >= 1"),
        ("run.steps", 4 * 10**9, "4000000000: must be < 4e+09"),
        ("run.seed", -1, "-1: must be >= 0"),
        ("run.name", 5, "5: must be a string, which has quotes in TOML"),
        ("cluster.servers", 0, "0: must be >= 1"),
        ("cluster.workers", 10**7, "10000000: must be <= 1e+06"),
        ("cluster.byzantine_servers", -1, "-1: must be >= 0"),
        ("cluster.server_quorum", 0, "0: must be >= 1"),
        ("model", "quadratic", "'quadratic': must be a table of keys and values"),
        ("model.options", [1], "[1]: must be a table of keys and values"),
        ("train.learning_rate", "fast", "'fast': must be a number"),
        ("train.learning_rate", False, "false: must be a number"),
        ("train.learning_rate", 0, "0: must be > 0"),
        ("train.learning_rate", -0.1, "-0.1: must be > 0"),
        ("train.learning_rate", float("nan"), "nan: must be a finite number"),
        ("train.learning_rate", float("inf"), "inf: must be a finite number"),
        ("train.weight_decay", -1.0, "-1.0: must be >= 0"),
        ("train.batch_size", 0, "0: must be >= 1"),
        ("attack.workers.indices", 3, "3: must be an array, which has square brackets in TOML"),
        ("attack.workers.options.scale", True, "true: must be a number"),
        ("attack.workers.options.scale", float("nan"), "nan: must be a finite number"),
        ("checkpoint.every", 0, "0: must be >= 1"),
        ("checkpoint.keep", 1, "1: must be >= 2"),
        ("observe.every", 0, "0: must be >= 1"),
        ("simulation.delay_ms_mean", -1, "-1: must be >= 0"),
    ],
)
def test_a_value_of_a_wrong_kind_is_told_with_what_is_allowed(
    key: str, value: object, said: str
) -> None:
    assert faults_of({key: value}) == [f"{key} = {said}"]


def test_a_wrong_value_within_an_array_is_told_with_its_place() -> None:
    assert faults_of({"attack.workers.indices": [0, "1"]}) == [
        "attack.workers.indices[1] = '1': must be a whole number"
    ]


@pytest.mark.parametrize("name", ["", "-x", ".x", "a/b", "a b", "ü", "x\n", "../x"])
def test_a_name_that_is_no_directory_name_is_told(name: str) -> None:
    assert faults_of({"run.name": name}) == [
        f"run.name = {name!r}: must be letters, digits, '.', '_' and '-', "
        "of which the first is a letter or digit"
    ]


def test_a_choice_is_told_with_the_near_miss() -> None:
    assert faults_of({"transport.wire_dtype": "bfloat"}) == [
        "transport.wire_dtype: unknown choice 'bfloat'; did you mean 'bfloat16'? "
        "known: bfloat16, float32"
    ]
    assert faults_of({"simulation.delay": "exponental"}) == [
        "simulation.delay: unknown choice 'exponental'; did you mean 'exponential'? "
        "known: constant, exponential, pareto, uniform"
    ]


def test_a_whole_number_is_good_where_a_number_is_wanted() -> None:
    assert config_of({"train.learning_rate": 1}).train.learning_rate == 1.0


def test_faults_of_several_sections_are_told_together_and_none_twice() -> None:
    unknown_node = {"nodes": ["server-9"], "start_s": 0, "end_s": 1}
    faults = faults_of(
        {
            "run.steps": 0,
            "cluster.servers": 5,
            "aggregation.gradients": "krumm",
            "attack.workers.name": "revers",
            "attack.workers.count": 1,
            "train.schedule": "cosine",
            "simulation.partitions": [unknown_node, unknown_node],
            "observ": {},
        }
    )
    starts = [
        "run.steps = 0",
        "unknown section observ;",
        "cluster.servers = 5 cannot tolerate",
        "aggregation.gradients: unknown aggregation rule 'krumm'",
        "attack.workers: unknown attack 'revers'; did you mean 'reverse'?",
        "train.schedule: unknown schedule 'cosine'",
        "simulation.partitions: there is no node 'server-9'",
    ]
    assert len(faults) == len(starts)
    for fault, start in zip(faults, starts, strict=True):
        assert fault.startswith(start)


def test_what_a_broken_section_would_need_is_not_complained_about() -> None:
    """The quorums cannot be judged without the numbers of nodes, nor rules without quorums."""
    assert faults_of({"cluster.workers": "six"}) == [
        "cluster.workers = 'six': must be a whole number"
    ]


def _fields(above: tuple[str, ...] = ()) -> Iterator[tuple[str, str | None]]:
    """Every key of a configuration and its description, in sections within sections too."""
    for name, field in section_at(above).model_fields.items():
        path = (*above, name)
        yield ".".join(path), field.description
        if section_at(path) is not section_at(above):
            yield from _fields(path)


@pytest.mark.parametrize(("key", "description"), list(_fields()))
def test_every_key_is_described_in_a_sentence(key: str, description: str | None) -> None:
    assert description
    assert description.endswith(".")


def test_the_walk_over_keys_reaches_the_innermost() -> None:
    keys = dict(_fields())
    assert "simulation.partitions.end_s" in keys
    assert "attack.servers.indices" in keys
    assert "data.path" in keys


def test_every_section_is_frozen_and_refuses_unknown_keys() -> None:
    sections = {section_at(tuple(key.split("."))) for key, _ in _fields()} | {Config}
    assert len(sections) == 18
    for section in sections:
        assert issubclass(section, BaseModel)
        assert section.model_config["frozen"] is True
        assert section.model_config["extra"] == "forbid"
        assert section.model_config["strict"] is True
