"""What is trained on: data sets in one HDF5 format, how they are made, and the user's own.

Importing this package does not import torch.
"""

from guanyu_mpi.data.batches import Batches
from guanyu_mpi.data.file import DataInfo
from guanyu_mpi.data.load import DATA_SETS, check, load
from guanyu_mpi.data.prepare import Prepared, default_path, prepare
from guanyu_mpi.data.split import Split

__all__ = [
    "DATA_SETS",
    "Batches",
    "DataInfo",
    "Prepared",
    "Split",
    "check",
    "default_path",
    "load",
    "prepare",
]
