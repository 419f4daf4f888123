"""The data set that ships in the package."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.data import check, load, prepare
from guanyu_mpi.data.load import SHIPPED
from guanyu_mpi.data.mnist_small import stratified

# Digits 0 to 9 among the 60,000 and the 10,000 of MNIST.
TRAIN = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
TEST = np.array([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])


def all_of(split):
    return split.take(np.arange(len(split)))


def test_it_has_6000_and_1000_images_and_is_small():
    info = check("mnist-small")
    assert (info.num_train, info.num_test, info.image_shape) == (6000, 1000, (1, 28, 28))
    assert SHIPPED.stat().st_size <= 1.5e6


@pytest.mark.parametrize(("index", "whole"), [(0, TRAIN), (1, TEST)])
def test_digits_have_the_share_that_they_have_in_mnist(index, whole):
    counts = np.bincount(all_of(load("mnist-small")[index])[1], minlength=10)
    assert np.abs(counts - whole / 10).max() < 1


def test_training_images_are_normalised_by_channel():
    images, _ = all_of(load("mnist-small")[0])
    assert images.dtype == np.float32
    assert images.mean() == pytest.approx(0, abs=1e-4)
    assert images.std() == pytest.approx(1, abs=1e-4)


def test_it_is_made_again_bit_for_bit(real_mnist, tmp_path):
    prepared = prepare("mnist-small", tmp_path / "again.h5", real_mnist)
    assert prepared.warnings == ()
    assert prepared.info == check("mnist-small")


def test_no_test_image_is_a_training_image():
    train, test = (
        {image.tobytes() for image in all_of(split)[0]} for split in load("mnist-small")
    )
    assert len(train) == 6000
    assert not train & test


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=60), data=st.data())
def test_a_stratified_choice_has_each_labels_share(labels, data):
    labels = np.array(labels, np.uint8)
    count = data.draw(st.integers(0, labels.size))
    chosen = stratified(labels, count, "law")
    assert chosen.size == len(set(chosen.tolist())) == count
    assert np.all(np.diff(chosen) > 0)
    taken = np.bincount(labels[chosen], minlength=5)
    assert np.abs(taken - np.bincount(labels, minlength=5) * count / labels.size).max() < 1


def test_choices_of_different_names_differ():
    labels = np.zeros(1000, np.uint8)
    assert not np.array_equal(stratified(labels, 100, "a"), stratified(labels, 100, "b"))


def test_a_choice_is_random_over_the_indices():
    chosen = stratified(np.zeros(10_000, np.uint8), 1000, "a")
    # The mean of 1,000 of 10,000 indices has a standard deviation below 92.
    assert chosen.mean() == pytest.approx(5000, abs=5 * 92)
