"""The batch of a worker's step."""

import numpy as np

from guanyu_mpi.data.split import Images, Labels, Split
from guanyu_mpi.errors import ConfigError, DataError
from guanyu_mpi.seeds import stream


class Batches:
    """(worker, step) -> images and labels of a batch, drawn i.i.d. with replacement.

    That is the sampling the theory assumes, and it needs no state: a batch is a pure function of
    (seed, worker, step), so a restarted worker draws what it would have drawn.
    """

    def __init__(self, split: Split, batch_size: int, seed: int) -> None:
        if batch_size < 1:
            raise ConfigError(f"train.batch_size = {batch_size}: must be >= 1")
        if not len(split):
            raise DataError("the training split is empty: there is nothing to draw batches from")
        self._split = split
        self._batch_size = batch_size
        self._seed = seed

    def __call__(self, worker: int, step: int) -> tuple[Images, Labels]:
        """Images (b, C, H, W) and labels (b,)."""
        generator = stream(self._seed, "worker", worker, "batches", step)
        return self._split.take(
            generator.integers(len(self._split), size=self._batch_size, dtype=np.int64)
        )
