"""Runs a trace again: every message of a run is a function of its configuration and its trace."""

from guanyu_mpi.replay.archive import Archive
from guanyu_mpi.replay.examine import examined
from guanyu_mpi.replay.items import Unreproducible
from guanyu_mpi.replay.verify import verified

__all__ = ["Archive", "Unreproducible", "examined", "verified"]
