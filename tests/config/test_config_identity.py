"""The identity of a run changes with what its parameters mean, and with nothing else."""

import pytest
from config_cases import DIGITS, TRUSTED, config_of

from guanyu_mpi.checkpoint.vector_file import TEXT_MAX
from guanyu_mpi.config import run_identity
from guanyu_mpi.data.load import SHIPPED

IDENTITY = run_identity(config_of({}))


@pytest.mark.parametrize(
    "changes",
    [
        {"run.seed": 1},
        {"model.options": {"dimension": 101}},
        {"model.options": {"sigma": 0.2}},
        DIGITS,
    ],
)
def test_another_problem_is_another_run(changes: dict[str, object]) -> None:
    assert run_identity(config_of(changes)) != IDENTITY


@pytest.mark.parametrize(
    "changes",
    [
        {"run.name": "other"},
        {"run.steps": 99},
        {"cluster.servers": 9, "cluster.byzantine_servers": 2, "cluster.server_quorum": 7},
        {"cluster.workers": 12},
        TRUSTED,
        {"train.learning_rate": 0.5},
        {"train.schedule": "inverse-time", "train.schedule_options": {"half_life": 5}},
        {"aggregation.gradients": "krum"},
        {"attack.workers": {"name": "mute", "count": 1}},
        {"checkpoint": {"every": 1, "keep": 9}},
        {"observe.every": 3},
        {"simulation": {"delay": "pareto", "slow": {"server-1": 9}}},
    ],
)
def test_the_same_problem_solved_otherwise_is_the_same_run(changes: dict[str, object]) -> None:
    assert run_identity(config_of(changes)) == IDENTITY


@pytest.mark.parametrize("changes", [{"data.path": str(SHIPPED)}, {"train.batch_size": 8}])
def test_where_the_data_lies_does_not_matter(changes: dict[str, object]) -> None:
    assert run_identity(config_of({**DIGITS, **changes})) == run_identity(config_of(DIGITS))


def test_another_data_set_is_another_run() -> None:
    config = config_of(DIGITS)
    assert config.data
    other = config.data.model_copy(update={"name": "mnist"})
    assert run_identity(config.model_copy(update={"data": other})) != run_identity(config)


def test_other_options_of_the_data_are_another_run() -> None:
    config = config_of(DIGITS)
    assert config.data
    other = config.data.model_copy(update={"options": {"flip": True}})
    assert run_identity(config.model_copy(update={"data": other})) != run_identity(config)


def test_the_order_of_options_does_not_matter() -> None:
    one = config_of({"model.options": {"mu": 0.2, "sigma": 0.3}})
    other = config_of({"model.options": {"sigma": 0.3, "mu": 0.2}})
    assert run_identity(one) == run_identity(other)


def test_a_person_can_read_it() -> None:
    assert run_identity(config_of(DIGITS)).startswith("mlp on mnist-small, seed 0, ")


def test_it_is_ascii_whatever_the_factory_is_called() -> None:
    """It becomes an attribute of a checkpoint."""
    config = config_of({})
    model = config.model.model_copy(update={"name": "größe:modell"})
    assert run_identity(config.model_copy(update={"model": model})).isascii()


def test_it_is_short_whatever_the_factory_is_called() -> None:
    config = config_of({})
    long = "package." * 100
    models = [config.model.model_copy(update={"name": f"{long}:{name}"}) for name in "ab"]
    identities = [run_identity(config.model_copy(update={"model": model})) for model in models]
    assert max(len(identity) for identity in identities) < TEXT_MAX
    assert identities[0] != identities[1]


def test_it_never_changes_between_versions() -> None:
    """Or no checkpoint of yesterday could be continued."""
    assert IDENTITY == "quadratic, seed 0, 1e5a27d0b1615a40"
