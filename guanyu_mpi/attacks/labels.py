"""Label flipping: workers whose gradients are honest, of data that are not."""

from collections.abc import Callable, Collection
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Images: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]
Batch: TypeAlias = tuple[Images, Labels]


def flipped(
    batches: Callable[[int, int], Batch], workers: Collection[int], *, classes: float = 10.0
) -> Callable[[int, int], Batch]:
    """The batches, with label y replaced by classes - 1 - y in those of some workers.

    These workers then are honest, and know nothing else.
    """

    def take(worker: int, step: int) -> Batch:
        images, labels = batches(worker, step)
        return (images, int(classes) - 1 - labels) if worker in workers else (images, labels)

    return take
