"""Laws of the draw of a batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.data import Batches
from guanyu_mpi.errors import ConfigError, DataError

SMALL = st.integers(0, 1000)


class Numbers:
    """A split whose images are their own indices."""

    image_shape = (1,)

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def take(self, indices):
        return indices.astype(np.float32)[:, None], indices


def drawn(worker, step, *, size=10_000, batch_size=32, seed=1):
    return Batches(Numbers(size), batch_size, seed)(worker, step)[1]


@settings(deadline=None)
@given(seed=SMALL, worker=SMALL, step=SMALL)
def test_a_batch_is_a_function_of_seed_worker_and_step(seed, worker, step):
    batches = Batches(Numbers(500), 8, seed)
    batches(worker + 1, step)
    images, labels = batches(worker, step)
    again, _ = Batches(Numbers(500), 8, seed)(worker, step)
    assert np.array_equal(images, again)
    assert images[:, 0].tolist() == labels.tolist()


@settings(deadline=None)
@given(one=st.tuples(SMALL, SMALL, SMALL), other=st.tuples(SMALL, SMALL, SMALL))
def test_different_seeds_workers_or_steps_draw_differently(one, other):
    same = np.array_equal(drawn(one[1], one[2], seed=one[0]), drawn(*other[1:], seed=other[0]))
    assert same == (one == other)


def test_examples_are_drawn_uniformly():
    counts = np.bincount(np.concatenate([drawn(0, step, size=10) for step in range(1000)]))
    # 32,000 draws of ten: chi-square with 9 degrees of freedom is below 33.7 but for 1 in 10,000.
    assert ((counts - 3200) ** 2 / 3200).sum() < 33.7
    assert len(counts) == 10


def test_examples_are_drawn_with_replacement():
    assert drawn(0, 0, size=3, batch_size=100).size == 100
    repeats = [32 - len(set(drawn(0, step, size=100).tolist())) for step in range(200)]
    # The expected number of repeats among 32 of 100 is 32 - 100 (1 - 0.99^32) = 4.5.
    assert np.mean(repeats) == pytest.approx(4.5, abs=0.6)


def test_a_batch_may_be_one_example():
    assert drawn(0, 0, batch_size=1).shape == (1,)


@pytest.mark.parametrize("batch_size", [0, -3])
def test_a_batch_without_examples_is_refused(batch_size):
    with pytest.raises(ConfigError, match=rf"train\.batch_size = {batch_size}: must be >= 1"):
        Batches(Numbers(5), batch_size, 1)


def test_an_empty_split_is_refused():
    with pytest.raises(DataError, match="empty"):
        Batches(Numbers(0), 4, 1)
