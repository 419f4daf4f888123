"""One Slurm for all tests, of as many virtual nodes as they need; skipped where there is none."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from one_machine_slurm import OneMachineSlurm, do_without, missing

LIBRARIES = Path("/usr/lib")


@pytest.fixture
def slurm(one_machine: OneMachineSlurm) -> Iterator[OneMachineSlurm]:
    """Without jobs of an earlier test."""
    yield one_machine
    one_machine.clear()


@pytest.fixture(scope="session")
def one_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneMachineSlurm]:
    if absent := missing():
        do_without(f"Slurm: no {', '.join(absent)}")
    nodes = ("cpu1", "cpu2", "cpu3", "gpu1", "gpu2")
    cluster = OneMachineSlurm(tmp_path_factory.mktemp("slurm"), nodes)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def open_mpi() -> Mapping[str, str]:
    """What has ranks use the system's Open MPI and not the one beside this Python."""
    found = sorted(LIBRARIES.glob("*/libmpi.so.40"))
    if not found or not [*LIBRARIES.glob("*/pmix*/lib/libpmix.so")]:
        do_without("an Open MPI with PMIx: no libmpi.so.40 or no libpmix.so")
    # Virtual nodes share this machine's memory, which its fast paths between ranks do not expect.
    return {"MPI4PY_LIBMPI": str(found[0]), "OMPI_MCA_btl": "self,tcp"}


@pytest.fixture
def mpich(tmp_path: Path) -> Mapping[str, str]:
    """The same for MPICH, whose library some systems name otherwise than mpi4py."""
    found = [
        path for name in ("libmpi.so.12", "libmpich.so.12") for path in LIBRARIES.glob(f"*/{name}")
    ]
    if not found:
        do_without("MPICH: no libmpich.so.12")
    (tmp_path / "mpich").mkdir()
    (tmp_path / "mpich" / "libmpi.so.12").symlink_to(found[0])
    return {"MPI4PY_MPIABI": "mpich", "LD_LIBRARY_PATH": str(tmp_path / "mpich")}
