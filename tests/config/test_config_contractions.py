"""How often servers may contract."""

import pytest
from config_cases import TRUSTED, config_of, faults_of

from guanyu_mpi.config import run_identity


def test_servers_contract_at_every_step_unless_told_otherwise() -> None:
    assert config_of({}).train.contract_every == 1
    seldom = config_of({"train.contract_every": 10})
    assert (seldom.contractions.every, seldom.contractions.steps) == (10, 20)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"train.contract_every": 0}, "train.contract_every = 0: must be >= 1"),
        (
            {"train.contract_every": 3},
            "checkpoint.every = 100 is no multiple of train.contract_every = 3: in between each "
            "server goes on alone, and a restart takes a step that they agree on",
        ),
        (
            {**TRUSTED, "train.contract_every": 2},
            "train.contract_every = 2 has no effect: a single server (cluster.servers = 1) "
            "exchanges nothing",
        ),
    ],
)
def test_what_cannot_be_is_told(changes: dict[str, object], fault: str) -> None:
    assert faults_of(changes) == [fault]


def test_how_often_may_change_between_two_lives_of_a_run() -> None:
    assert run_identity(config_of({"train.contract_every": 10})) == run_identity(config_of({}))
