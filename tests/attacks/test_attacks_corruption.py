"""Corruption that nobody intends: bits in a vector, labels in data."""

from dataclasses import replace

import numpy as np
import pytest
from attack_harness import server, view_of, worker

from guanyu_mpi.attacks import View, bind_attack, flipped
from guanyu_mpi.attacks.labels import Batch
from guanyu_mpi.messages import Vector

HONEST = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
VIEW = View(HONEST, 3, worker(5), server(0), seed=1)


def corrupted(step: int, **options: float) -> Vector:
    lie = bind_attack("bit-flip", **options)(replace(VIEW, step=step))
    assert lie is not None
    return lie


def struck(lie: Vector) -> list[int]:
    return [int(k) for k in np.flatnonzero(lie.view(np.uint32) != HONEST.view(np.uint32))]


def test_a_warp_of_neighbours_is_struck_in_the_same_bits() -> None:
    for step in range(50):
        lie = corrupted(step, non_finite=1.0)
        places = struck(lie)
        first = places[0]
        assert first % 32 == 0
        assert places == list(range(first, min(first + 32, HONEST.size)))
        masks = set((lie.view(np.uint32) ^ HONEST.view(np.uint32))[places].tolist())
        assert len(masks) == 1
        assert masks.pop().bit_count() == 2


@pytest.mark.parametrize("warps", [2, 7, 32, 100])
def test_as_many_warps_are_struck_as_are_asked_for_and_are_there(warps: int) -> None:
    """None is struck twice, which would mend it."""
    for step in range(20):
        places = struck(corrupted(step, warps=warps, bits=32, non_finite=1.0))
        assert len({place // 32 for place in places}) == min(warps, 32)


@pytest.mark.parametrize("bits", [1, 3, 32])
def test_as_many_bits_are_flipped_as_are_asked_for(bits: int) -> None:
    lie = corrupted(1, bits=bits, non_finite=1.0)
    flips = int((lie.view(np.uint32) ^ HONEST.view(np.uint32))[struck(lie)[0]])
    assert flips.bit_count() == bits


def test_infinities_are_rare_unless_they_are_asked_for() -> None:
    """Of 400 messages with three bits each, dozens would hold one; about 1 % of these do."""
    ones = replace(VIEW, vector=np.ones_like(HONEST))
    found = {}
    for share in (1.0, 0.01):
        attack = bind_attack("bit-flip", bits=3, non_finite=share)
        lies = [attack(replace(ones, step=step)) for step in range(400)]
        found[share] = sum(lie is not None and not np.isfinite(lie).all() for lie in lies)
    assert found[1.0] > 20
    assert found[0.01] <= 4


def test_a_model_that_is_smaller_than_a_warp_is_struck_too() -> None:
    lie = bind_attack("bit-flip")(view_of([np.ones(3, np.float32)]))
    assert lie is not None
    assert lie.shape == (3,)


def batches(worker_index: int, step: int) -> Batch:
    return np.full((3, 1, 2, 2), worker_index, np.float32), np.array([0, step, 9])


def test_labels_are_flipped_in_the_batches_of_the_attackers_only() -> None:
    take = flipped(batches, {4}, classes=10)
    assert take(4, 2)[1].tolist() == [9, 7, 0]
    assert take(3, 2)[1].tolist() == [0, 2, 9]
    assert take(4, 2)[0].tolist() == batches(4, 2)[0].tolist()
