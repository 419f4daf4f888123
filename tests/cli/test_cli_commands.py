"""The command as such: what it offers, how it starts, and what starting it costs."""

import subprocess
import sys

import pytest
from cli_runs import guanyu

from guanyu_mpi import __version__

COMMANDS = [
    "bench",
    "check",
    "data",
    "evaluate",
    "experiment",
    "export",
    "inspect",
    "launch",
    "replay",
    "report",
    "run",
    "simulate",
]


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_command(option: str) -> None:
    result = guanyu(option)
    assert result.exit_code == 0
    listed = result.stdout.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed if line.startswith("  ")] == COMMANDS


@pytest.mark.parametrize("command", [*COMMANDS, "data prepare"])
def test_every_command_explains_itself(command: str) -> None:
    result = guanyu(*command.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


def test_the_version_is_that_of_the_package() -> None:
    assert __version__ in guanyu("--version").stdout


def test_an_unknown_command_is_wrong_input() -> None:
    result = guanyu("lunch")
    assert result.exit_code == 2
    assert "No such command 'lunch'" in result.stderr


def test_the_module_is_the_command() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "guanyu_mpi", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout == f"python -m guanyu_mpi, version {__version__}\n"


def test_starting_the_command_loads_none_of_the_heavy_parts() -> None:
    """Every rank pays for what is imported here, and `--help` should not take seconds."""
    heavy = ["torch", "mpi4py", "numpy", "h5py", "pydantic", "rich"]
    program = f"import sys, guanyu_mpi.cli; print([m for m in {heavy} if m in sys.modules])"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "[]\n"
