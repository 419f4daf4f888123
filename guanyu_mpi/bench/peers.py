"""What our rules are compared with: torch's own functions, and byzfl where it is installed."""

import math
from collections.abc import Callable
from functools import cache
from importlib import import_module

import torch

from guanyu_mpi.bench.timing import Trial, called
from guanyu_mpi.messages import Vector

# byzfl's MDA looks at every subset of n - f vectors: 14 million of them for n = 33, f = 8.
SUBSETS_MAX = 20_000
# Rules that iterate do so equally often in both libraries.
ITERATING = ("centered-clipping", "geometric-median")
ITERATIONS = 3

TORCH: dict[str, Callable[[torch.Tensor], object]] = {
    "torch.cdist": lambda vectors: torch.cdist(vectors, vectors),
    "torch.mean": lambda vectors: torch.mean(vectors, dim=0),
    "torch.median": lambda vectors: torch.median(vectors, dim=0),
}
_CLASSES = {
    "average": "Average",
    "caf": "CAF",
    "centered-clipping": "CenteredClipping",
    "geometric-median": "GeometricMedian",
    "krum": "Krum",
    "mda": "MDA",
    "meamed": "Meamed",
    "median": "Median",
    "multi-krum": "MultiKrum",
    "trimmed-mean": "TrMean",
}
# Of those that do not take f.
_OPTIONS: dict[str, dict[str, float]] = {
    "Average": {},
    "CenteredClipping": {"L": ITERATIONS},
    "GeometricMedian": {"nu": 0.1, "T": ITERATIONS},
    "Median": {},
}


def torch_trial(name: str, vectors: Vector) -> Trial:
    """A function of torch on vectors (n, d)."""
    tensor = torch.from_numpy(vectors)
    return called(lambda: TORCH[name](tensor))


@cache
def byzfl_fault() -> str:
    """Why byzfl is not measured; empty if it is."""
    try:
        import_module("byzfl")
    except ModuleNotFoundError as error:
        return "byzfl is not installed" if error.name == "byzfl" else f"byzfl: {error}"
    # Its dependencies raise what they like: torchvision does if it was built for another torch.
    except (ImportError, RuntimeError, OSError) as error:
        return f"byzfl cannot be imported: {str(error).splitlines()[0]}"
    return ""


def byzfl_trial(name: str, f: int, vectors: Vector) -> Trial | None:
    """byzfl's rule of that name on a torch tensor (n, d), if there is one that ends in time."""
    n = len(vectors)
    if name not in _CLASSES or byzfl_fault():
        return None
    if name == "mda" and math.comb(n, f) > SUBSETS_MAX:
        return None
    factory = getattr(import_module("byzfl"), _CLASSES[name])
    options = _OPTIONS.get(_CLASSES[name], {"f": f})

    def prepared() -> Callable[[], object]:
        # Some of its rules write into what they are given, or remember their last result.
        rule, tensor = factory(**options), torch.from_numpy(vectors.copy())
        return lambda: rule(tensor)

    return prepared
