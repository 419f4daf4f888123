"""Images that nobody has taken, of the shape that a model wants: data of every machine alike."""

from collections.abc import Sequence

import numpy as np

from guanyu_mpi.data.split import Images, Labels
from guanyu_mpi.seeds import stream

# As a configuration names the function below.
IMAGES = f"{__name__}:images"
# Few, so that they take no memory that counts; and fewer to evaluate, so that it takes no time.
EXAMPLES, TEST_EXAMPLES = 512, 16
CLASSES = 10


def images(shape: Sequence[int]) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Examples to train on and to evaluate, images (N, *shape) and labels (N,)."""
    return _drawn("train", EXAMPLES, shape), _drawn("test", TEST_EXAMPLES, shape)


def _drawn(split: str, examples: int, shape: Sequence[int]) -> tuple[Images, Labels]:
    random = stream(0, "bench", "images", split)
    drawn = random.standard_normal((examples, *shape), dtype=np.float32)
    return drawn, random.integers(CLASSES, size=examples)
