"""Modules such as a user would write, and examples for them."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from guanyu_mpi.models.objective import Images, Labels

_numbers = itertools.count()


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Make a module of a source text importable; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        name = f"user_module_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text("import torch\nfrom torch import nn\n" + source)
        return name

    return write


class RandomExamples:
    """Random images and labels, the same for the same indices."""

    def __init__(self, image_shape: tuple[int, ...], size: int, classes: int = 10) -> None:
        generator = np.random.default_rng(7)
        self.images = generator.standard_normal((size, *image_shape), np.float32)
        self.labels = generator.integers(0, classes, size)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray) -> tuple[Images, Labels]:
        return self.images[indices], self.labels[indices]

    def batches(self, size: int) -> Callable[[int, int], tuple[Images, Labels]]:
        """Batches that differ by worker and by step."""

        def batch(worker: int, step: int) -> tuple[Images, Labels]:
            return self.take(np.arange(size) + 3 * worker + 5 * step)

        return batch


@pytest.fixture
def examples() -> type[RandomExamples]:
    return RandomExamples
