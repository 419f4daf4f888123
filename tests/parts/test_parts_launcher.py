"""What starts the ranks: mpirun with what it needs, or what the user gives."""

import sys
from pathlib import Path

import pytest

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.launch import command, for_srun, start_by
from guanyu_mpi.transport.library import Family, Library

MPIRUN = Path("/opt/mpi/bin/mpirun")
RUN_DIR = Path("runs/one")
RANK = [sys.executable, "-m", "guanyu_mpi", "run", "runs/one/config.toml", "--run-dir", "runs/one"]


@pytest.mark.parametrize("version", ["4.1.4", "5.0.11"])
def test_open_mpi_deals_ranks_out_to_the_nodes_in_turn(version: str) -> None:
    argv = command(MPIRUN, Library(Family.OPEN_MPI, version), 13, RUN_DIR)
    assert argv[argv.index("--map-by") + 1] == "node"
    assert argv[-len(RANK) - 2 :] == ["-n", "13", *RANK]


def test_only_open_mpi_is_given_its_own_options() -> None:
    assert command(MPIRUN, Library(Family.MPICH, "4.0.2"), 7, RUN_DIR) == [
        *(str(MPIRUN), "-n", "7"),
        *RANK,
    ]


def test_a_given_launcher_is_used_as_it_is() -> None:
    """How many ranks it starts, the allocation says: of a heterogeneous job in two parts."""
    argv, library = start_by(["env", "srun", "--mpi=pmix"], 7, RUN_DIR)
    assert Path(argv[0]).name == "env"
    assert argv[1:] == ["srun", "--mpi=pmix", *RANK]
    assert not library.can_tolerate_faults


def test_a_given_srun_alone_is_told_how_many_cores_a_task_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """mpirun starts its daemons by an srun of its own, which would confine them to so many."""
    monkeypatch.delenv("SRUN_CPUS_PER_TASK", raising=False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4")
    assert for_srun(["srun", "--mpi=pmix"]) == {"SRUN_CPUS_PER_TASK": "4"}
    assert for_srun([]) == for_srun(["/opt/mpich/bin/mpiexec"]) == {}
    monkeypatch.setenv("SRUN_CPUS_PER_TASK", "2")
    assert for_srun(["srun"]) == {"SRUN_CPUS_PER_TASK": "2"}


def test_a_launcher_that_is_not_there_is_wrong_input() -> None:
    with pytest.raises(ConfigError, match=r"--launcher no-such-srun: there is no such program"):
        start_by(["no-such-srun", "--mpi=pmix"], 7, RUN_DIR)
