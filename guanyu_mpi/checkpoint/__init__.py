"""Checkpoints: one HDF5 file per server and step, and a restart that trusts no single one."""

from guanyu_mpi.checkpoint.election import Election, restore_step
from guanyu_mpi.checkpoint.hdf5 import Checkpoint, FileError, ForeignError, Header, Writers
from guanyu_mpi.checkpoint.restore import Contraction, Restored, restore, resume
from guanyu_mpi.checkpoint.store import Store, path_of, read, scan
from guanyu_mpi.checkpoint.survey import Finding, Survey, survey

__all__ = [
    "Checkpoint",
    "Contraction",
    "Election",
    "FileError",
    "Finding",
    "ForeignError",
    "Header",
    "Restored",
    "Store",
    "Survey",
    "Writers",
    "path_of",
    "read",
    "restore",
    "restore_step",
    "resume",
    "scan",
    "survey",
]
