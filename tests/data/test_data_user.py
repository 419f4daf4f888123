"""The user's own data factory."""

from pathlib import Path

import numpy as np
import pytest
import torch

from guanyu_mpi.data import Batches, check, load
from guanyu_mpi.errors import ConfigError, DataError

TENSORS = """
def make(size=6, images=None, labels=None):
    images = torch.arange(size * 4.0).reshape(size, 1, 2, 2) if images is None else images
    labels = torch.arange(size) % 3 if labels is None else labels
    return (images, labels), [images[:2], labels[:2]]
"""
DATASET = """
class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 5
    def __getitem__(self, index):
        return torch.full((1, 2, 2), float(index)), index % 3

def make():
    return Squares(), torch.utils.data.TensorDataset(torch.ones(4, 1, 2, 2), torch.tensor([0] * 4))
"""


def test_pairs_of_tensors_are_taken_as_they_are(user_module):
    train, test = load(f"{user_module(TENSORS)}:make")
    images, labels = train.take(np.array([1, 1, 4]))
    assert images[:, 0, 0, 0].tolist() == [4, 4, 16]
    assert labels.tolist() == [1, 1, 1]
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert (len(train), len(test), train.image_shape) == (6, 2, (1, 2, 2))


def test_map_style_datasets_are_drawn_from_by_index(user_module):
    train, test = load(f"{user_module(DATASET)}:make")
    images, labels = train.take(np.array([4, 0, 4]))
    assert images[:, 0, 0, 0].tolist() == [4, 0, 4]
    assert labels.tolist() == [1, 0, 1]
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert (len(train), len(test), train.image_shape) == (5, 4, (1, 2, 2))
    assert test.take(np.array([3]))[0].shape == (1, 1, 2, 2)


@pytest.mark.parametrize("source", [TENSORS, DATASET])
def test_batches_of_the_users_data_are_copies(source, user_module):
    train, _ = load(f"{user_module(source)}:make")
    images, _ = Batches(train, 4, 1)(0, 0)
    kept = images.copy()
    images.fill(-1)
    assert np.array_equal(Batches(train, 4, 1)(0, 0)[0], kept)
    assert torch.from_numpy(kept).shape == (4, 1, 2, 2)


def test_options_are_the_factorys_keyword_arguments(user_module):
    name = f"{user_module(TENSORS)}:make"
    assert len(load(name, options={"size": 9})[0]) == 9
    with pytest.raises(ConfigError, match=r"data\.options = \{'sise': 9\}"):
        load(name, options={"sise": 9})


def test_double_precision_images_become_single(user_module):
    train, _ = load(
        f"{user_module(TENSORS)}:make", options={"images": torch.zeros(6, 2, dtype=torch.float64)}
    )
    assert train.take(np.array([0]))[0].dtype == np.float32


def test_checking_a_factory_does_not_call_it(user_module):
    assert (
        check(f"{user_module('def make(a): raise RuntimeError')}:make", options={"a": 1}) is None
    )


def test_checking_a_factory_finds_what_can_be_found_without_calling(user_module):
    name = user_module("def make(a): raise RuntimeError")
    with pytest.raises(ConfigError, match="missing a required argument: 'a'"):
        check(f"{name}:make")
    with pytest.raises(ConfigError, match="has no 'build'"):
        check(f"{name}:build")


@pytest.mark.parametrize("read", [check, load])
def test_a_path_beside_a_factory_has_no_effect_and_is_refused(read, user_module):
    with pytest.raises(ConfigError, match=r"data\.path = a\.h5 has no effect"):
        read(f"{user_module(TENSORS)}:make", Path("a.h5"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def make(): return 3", ["returns int", "(train, test)"]),
        ("def make(): return (1, 2, 3)", ["returns tuple", "(train, test)"]),
        ("def make(): return (3, 4)", ["a split is int", "map-style Dataset"]),
        ("def make(): raise OSError('no disk')", ["failed: OSError: no disk"]),
        (
            "class Stream(torch.utils.data.IterableDataset):\n    def __iter__(self): yield 1\n"
            "def make(): return Stream(), Stream()",
            ["a split is Stream", "__len__"],
        ),
        (
            "def make(): return 2 * ((torch.zeros(3, 4).to(torch.uint8), torch.zeros(3)),)",
            ["images are uint8", "x / 255"],
        ),
        (
            "def make(): return 2 * ((torch.zeros(3, 4), torch.zeros(3)),)",
            ["labels are float32", "whole numbers"],
        ),
        (
            "def make(): return 2 * ((torch.zeros(3, 4), torch.tensor([0, 1, -1])),)",
            ["labels go down to -1"],
        ),
        (
            "def make(): return 2 * ((torch.zeros(3, 4), torch.tensor([0, 1])),)",
            ["labels of shape (2,) for images of shape (3, 4)"],
        ),
        (
            "def make(): return 2 * ((torch.zeros(3, 4, requires_grad=True), torch.arange(3)),)",
            ["Tensor is no array on the CPU"],
        ),
        ("def make(): return [[1, 2, 3], [1, 2, 3]]", ["an example is int", "(image, label)"]),
        (
            "def make(): return 2 * ([(np.zeros(2), np.zeros(3, int))] * 3,)",
            ["a label has shape (3,)"],
        ),
    ],
)
def test_what_is_no_data_set_is_refused_with_the_reason(source, words, user_module):
    name = f"{user_module(source)}:make"
    with pytest.raises(ConfigError) as caught:
        load(name)
    for word in (name, *words):
        assert word in str(caught.value)


def test_images_that_differ_in_shape_are_refused_when_they_meet(user_module):
    source = "def make(): return 2 * ([(np.zeros(2), 0), (np.zeros(3), 0)],)"
    train, _ = load(f"{user_module(source)}:make")
    with pytest.raises(DataError, match="differ in shape"):
        train.take(np.array([0, 1]))
