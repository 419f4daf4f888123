"""How long MDA looks for the subset of least diameter: exact, so exponential at worst."""

import time

import numpy as np
import numpy.typing as npt

from guanyu_mpi.aggregation import bind
from guanyu_mpi.seeds import stream

N, F = 40, 13
INPUTS = 200
# So few that nearly all the time is the search's.
COORDINATES = 8


def search_seconds(inputs: int = INPUTS) -> tuple[float, ...]:
    """Seconds of MDA on N random or clustered vectors of few coordinates, input after input."""
    rule = bind("mda", n=N, f=F)
    random = stream(0, "bench", "search")
    seconds = []
    for k in range(inputs):
        vectors = _scattered(random) if k % 2 else _clustered(random)
        begun = time.perf_counter()
        rule(vectors)
        seconds.append(time.perf_counter() - begun)
    return tuple(seconds)


def _scattered(random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Vectors (N, COORDINATES) around one point."""
    return random.standard_normal((N, COORDINATES))


def _clustered(random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Vectors (N, COORDINATES) around 2 to 6 points, from nearly one heap to wide apart."""
    centres = random.standard_normal((random.integers(2, 7), COORDINATES))
    apart = 10 ** random.uniform(-1, 2)
    return apart * centres[random.integers(len(centres), size=N)] + _scattered(random)
