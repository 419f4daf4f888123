"""The loops over coordinates: the only part of aggregation that touches d numbers at a time."""

from guanyu_mpi.aggregation.kernels.fallback import NumpyKernels
from guanyu_mpi.aggregation.kernels.interface import Kernels
from guanyu_mpi.messages import Vector

__all__ = ["Kernels", "NumpyKernels", "default_kernels"]


def default_kernels() -> Kernels[Vector]:
    """The fastest kernels for numpy arrays that are installed."""
    return NumpyKernels()
