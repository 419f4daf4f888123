"""Attackers that remember what was."""

from dataclasses import replace

import numpy as np
import pytest
from attack_harness import draws, server, vector, view_of, worker

from guanyu_mpi.attacks import ATTACKS, View, bind_attack
from guanyu_mpi.attacks.remembering import Mimic
from guanyu_mpi.messages import Params, Update

REMEMBERING = sorted(name for name in ATTACKS if ATTACKS[name].remembers)


def at(step: int) -> View:
    return View(vector(float(step)), step, server(5), server(0), seed=1, kind=Params)


def test_those_remember_that_are_documented_to() -> None:
    assert REMEMBERING == ["freeze", "mimic", "stale-replay"]


@pytest.mark.parametrize("name", REMEMBERING)
def test_what_one_attacker_remembers_another_does_not(name: str) -> None:
    bind_attack(name)(at(3))
    lie = bind_attack(name)(at(7))
    assert lie is not None
    assert lie.tolist() == [7.0]


def test_freeze_says_its_first_vector_for_ever() -> None:
    freeze = bind_attack("freeze")
    assert [freeze(at(step)) for step in (2, 3, 50)] == [2.0, 2.0, 2.0]


def test_each_kind_of_vector_is_frozen_for_itself() -> None:
    freeze = bind_attack("freeze")
    freeze(at(2))
    update = freeze(replace(at(3), kind=Update))
    assert update is not None
    assert update.tolist() == [3.0]


def test_stale_replay_says_what_it_would_have_said_some_steps_ago() -> None:
    stale = bind_attack("stale-replay", steps=3)
    assert [stale(at(step)) for step in range(7)] == [0, 0, 0, 0, 1, 2, 3]


def test_stale_replay_after_a_jump_says_nothing_older_than_that() -> None:
    stale = bind_attack("stale-replay", steps=3)
    assert [stale(at(step)) for step in (0, 1, 10, 12)] == [0, 0, 10, 10]


def test_what_is_remembered_is_not_what_its_owner_may_write_into() -> None:
    freeze, own = bind_attack("freeze"), vector(1.0)
    freeze(replace(at(1), vector=own))
    own[:] = 5.0
    said = freeze(at(2))
    assert said is not None
    assert said.tolist() == [1.0]


def test_mimic_copies_one_honest_node_and_stays_with_it() -> None:
    """Worker 2 is off in one direction always, all others at random."""
    mimic = Mimic(warmup=5)
    copied = []
    for step in range(20):
        vectors = list(draws(6, seed=step))
        vectors[2] = vectors[2] + np.float32(3.0)
        lie = mimic(view_of(vectors, step=step))
        (source,) = [k for k, honest in enumerate(vectors) if np.array_equal(lie, honest)]
        copied.append(source)
    # The direction has two ends: it is worker 2 at one, anybody at the other; then always one.
    assert len(set(copied[5:])) == 1


def test_mimic_finds_the_direction_in_which_honest_vectors_differ_most() -> None:
    """Workers 0 to 2 and 3 to 5 have different data; power iteration tells them apart."""
    mimic = Mimic(warmup=5)
    for step in range(6):
        vectors = [
            honest + np.float32(2.0 if index < 3 else -2.0)
            for index, honest in enumerate(draws(6, seed=step))
        ]
        mimic(view_of(vectors, step=step))
    (direction,) = mimic._direction.values()
    assert abs(direction.mean()) * np.sqrt(direction.size) > 0.95


def test_mimic_copies_another_where_its_node_has_not_been_heard() -> None:
    mimic = Mimic(warmup=1)
    vectors = draws(4)
    first = mimic(view_of(vectors))
    (copied,) = [k for k, honest in enumerate(vectors) if np.array_equal(first, honest)]
    view = view_of(vectors)
    left = [k for k in range(4) if k != copied]
    heard = replace(
        view.overheard,
        senders=tuple(worker(k) for k in left),
        vectors=tuple(vectors[k] for k in left),
    )
    second = mimic(replace(view, overheard=heard))
    assert any(np.array_equal(second, vectors[k]) for k in left)
    assert np.array_equal(mimic(view), first)
