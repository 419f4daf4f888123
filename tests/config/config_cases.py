"""A small configuration, and what parse_config says of changes to it."""

import copy
from collections.abc import Mapping, Sequence

import pytest

from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.errors import ConfigError

# GuanYu on a problem that needs neither data nor torch.
BASE: dict[str, object] = {
    "run": {"name": "tiny", "steps": 20},
    "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
    "model": {"name": "quadratic"},
    "train": {"learning_rate": 0.1},
}

# One trusted server; on real images, which ship with the package.
TRUSTED = {"cluster.servers": 1, "cluster.byzantine_servers": 0}
DIGITS = {"model.name": "mlp", "data.name": "mnist-small"}


def raw_of(changes: Mapping[str, object], without: Sequence[str] = ()) -> dict[str, object]:
    """BASE with keys such as "run.steps" set, and others removed."""
    raw = copy.deepcopy(BASE)
    for key, value in changes.items():
        table, last = _table(raw, key)
        table[last] = value
    for key in without:
        table, last = _table(raw, key)
        del table[last]
    return raw


def config_of(changes: Mapping[str, object]) -> Config:
    return parse_config(raw_of(changes))


def faults_of(changes: Mapping[str, object], without: Sequence[str] = ()) -> list[str]:
    """What is wrong; a test that expects a fault fails where nothing is."""
    with pytest.raises(ConfigError) as caught:
        parse_config(raw_of(changes, without))
    assert str(caught.value) == "\n".join(caught.value.faults)
    return list(caught.value.faults)


def _table(raw: dict[str, object], key: str) -> tuple[dict[str, object], str]:
    *above, last = key.split(".")
    table = raw
    for part in above:
        child = table.setdefault(part, {})
        assert isinstance(child, dict)
        table = child
    return table, last
