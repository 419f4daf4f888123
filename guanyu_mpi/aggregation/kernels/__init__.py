"""The loops over coordinates: the only part of aggregation that touches d numbers at a time."""

from functools import cache

from guanyu_mpi.aggregation.kernels.compiled import CompiledKernels
from guanyu_mpi.aggregation.kernels.fallback import NumpyKernels
from guanyu_mpi.aggregation.kernels.interface import Kernels
from guanyu_mpi.messages import Vector

__all__ = ["CompiledKernels", "Kernels", "NumpyKernels", "default_kernels"]


@cache
def default_kernels() -> Kernels[Vector]:
    """The fastest kernels for numpy arrays that are installed."""
    try:
        return CompiledKernels()
    except OSError:
        return NumpyKernels()
