"""Checkpoints: one HDF5 file per server and step, and a restart that trusts no single one."""

from guanyu_mpi.checkpoint.election import Election, restore_step
from guanyu_mpi.checkpoint.hdf5 import Checkpoint, ForeignError, Header, Notes, Writers
from guanyu_mpi.checkpoint.restore import (
    Contraction,
    Restored,
    accept_fewer,
    begin,
    restore,
    resume,
)
from guanyu_mpi.checkpoint.store import Store, path_of, read, scan
from guanyu_mpi.checkpoint.survey import Finding, Plan, Survey, plan, survey
from guanyu_mpi.checkpoint.vector_file import FileError

__all__ = [
    "Checkpoint",
    "Contraction",
    "Election",
    "FileError",
    "Finding",
    "ForeignError",
    "Header",
    "Notes",
    "Plan",
    "Restored",
    "Store",
    "Survey",
    "Writers",
    "accept_fewer",
    "begin",
    "path_of",
    "plan",
    "read",
    "restore",
    "restore_step",
    "resume",
    "scan",
    "survey",
]
