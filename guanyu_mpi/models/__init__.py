"""What is trained: built-in models, the user's own, and the objectives over them.

Importing this package does not import torch; `objective` does, unless for an ANALYTIC one (D13).
"""

from guanyu_mpi.models.catalogue import MODELS, ModelSpec, describe, objective
from guanyu_mpi.models.objective import BatchSource, Evaluation, Examples, Objective

__all__ = [
    "MODELS",
    "BatchSource",
    "Evaluation",
    "Examples",
    "ModelSpec",
    "Objective",
    "describe",
    "objective",
]
