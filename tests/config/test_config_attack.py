"""Attacks that exist, on nodes that exist."""

import pytest
from config_cases import DIGITS, config_of, faults_of

from guanyu_mpi.attacks import ATTACKS
from guanyu_mpi.cluster import Node, Role


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (
            {"name": "revers", "count": 1},
            ": unknown attack 'revers'; did you mean 'reverse'? "
            f"known: {', '.join(sorted(ATTACKS))}",
        ),
        (
            {"name": "reverse", "count": 1, "options": {"scal": 2}},
            ": unknown option of attack 'reverse': 'scal'; did you mean 'scale'? known: scale",
        ),
        (
            {"name": "mute", "count": 1, "options": {"std": 2}},
            ": unknown option of attack 'mute': 'std'; there is none",
        ),
        (
            {"name": "alie", "count": 1, "options": {"z": 0}},
            ": option z = 0 of attack 'alie': must not be 0",
        ),
        (
            {"name": "alie", "count": 1, "options": {"variant": 1}},
            ": attack 'alie': variant = 1 has no effect with 1 attackers of 6: its z is 0; give z",
        ),
        (
            {"name": "label-flip", "count": 1},
            ".name = 'label-flip': model 'quadratic' has no labels to flip",
        ),
        ({"name": "mute", "count": 7}, ".count = 7: there are only 6 workers"),
        ({"name": "mute", "indices": [2, 6, 9]}, ".indices = [6, 9]: the workers are 0 to 5"),
        ({"name": "mute", "indices": [2, 2]}, ".indices = [2, 2]: an index is there twice"),
        (
            {"name": "mute", "indices": [2], "count": 1},
            ": count and indices exclude each other",
        ),
        ({"count": 1}, ".name is missing: attack.workers says who attacks but not how"),
        ({"indices": [0]}, ".name is missing: attack.workers says who attacks but not how"),
        (
            {"name": "mute"},
            ".name = 'mute' but nobody attacks: attack.workers.count or attack.workers.indices "
            "is missing (count = 0 for nobody)",
        ),
        (
            {"options": {"scale": 2}},
            ".options has no effect: attack.workers.name is missing",
        ),
    ],
)
def test_a_fault_of_an_attack_is_told(attack: dict[str, object], said: str) -> None:
    assert faults_of({"attack.workers": attack}) == ["attack.workers" + said]


def test_servers_and_workers_have_attackers_of_their_own() -> None:
    faults = faults_of(
        {
            "cluster.workers": 8,
            "attack.workers": {"name": "mute", "count": 9},
            "attack.servers": {"name": "mute", "indices": [6]},
        }
    )
    assert faults == [
        "attack.workers.count = 9: there are only 8 workers",
        "attack.servers.indices = [6]: the servers are 0 to 5",
    ]


def test_servers_have_no_labels_to_flip() -> None:
    faults = faults_of({**DIGITS, "attack.servers": {"name": "label-flip", "count": 1}})
    assert faults == [
        "attack.servers.name = 'label-flip': servers have no labels to flip; workers do"
    ]


def test_workers_with_data_may_have_their_labels_flipped() -> None:
    options = {"classes": 10}
    attack = {"name": "label-flip", "count": 1, "options": options}
    assert config_of({**DIGITS, "attack.workers": attack}).attackers


def test_an_attack_that_nobody_does_needs_no_crowd() -> None:
    attack = {"name": "alie", "count": 0, "options": {"variant": 1}}
    assert config_of({"attack.workers": attack}).attackers == frozenset()


def test_the_last_nodes_attack_if_only_their_number_is_given() -> None:
    config = config_of(
        {
            "cluster.workers": 9,
            "attack.workers": {"name": "mute", "count": 2},
            "attack.servers": {"name": "mute", "count": 1},
        }
    )
    assert config.attackers == {
        Node(Role.WORKER, 7),
        Node(Role.WORKER, 8),
        Node(Role.SERVER, 5),
    }


def test_exactly_the_nodes_of_indices_attack() -> None:
    config = config_of({"attack.workers": {"name": "mute", "indices": [4, 0]}})
    assert config.attackers == {Node(Role.WORKER, 0), Node(Role.WORKER, 4)}


def test_nobody_attacks_unless_asked_to() -> None:
    assert config_of({}).attackers == frozenset()


def test_a_count_of_zero_switches_an_attack_off() -> None:
    """So that one --set makes the unattacked twin of an experiment."""
    config = config_of({"attack.workers": {"name": "reverse", "count": 0}})
    assert config.attackers == frozenset()


def test_an_attack_that_is_switched_off_is_checked_all_the_same() -> None:
    assert len(faults_of({"attack.workers": {"name": "revers", "count": 0}})) == 1


def test_more_may_attack_than_are_tolerated() -> None:
    """It is an experiment: what is declared and what is injected are two things (D10)."""
    config = config_of({"attack.servers": {"name": "mute", "count": 6}})
    assert len(config.attackers) == 6
