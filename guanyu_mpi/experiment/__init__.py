"""Many runs from one file: a base configuration, axes, and a record of each cell's result."""

from guanyu_mpi.experiment.campaign import Campaign, usual_jobs
from guanyu_mpi.experiment.cells import Cell, Experiment, load_experiment
from guanyu_mpi.experiment.folder import Folder, Outline
from guanyu_mpi.experiment.record import Record, Status

__all__ = [
    "Campaign",
    "Cell",
    "Experiment",
    "Folder",
    "Outline",
    "Record",
    "Status",
    "load_experiment",
    "usual_jobs",
]
