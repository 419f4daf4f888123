"""Commands of `guanyu` in this process, on a problem that takes a second and no torch."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import tomli_w
from click.testing import CliRunner, Result
from quadratic_runs import TINY

from guanyu_mpi.cli import main


def write_config(directory: Path, changes: Mapping[str, Mapping[str, object]] = {}) -> Path:
    """A configuration file; `changes` replace keys of sections."""
    sections = {
        name: {**TINY.get(name, {}), **changes.get(name, {})} for name in {**TINY, **changes}
    }
    path = directory / "tiny.toml"
    path.write_text(tomli_w.dumps(sections), encoding="utf-8")
    return path


def guanyu(*arguments: str | Path) -> Result:
    """Run a command; what it raises by mistake is raised here."""
    return CliRunner().invoke(
        main, [str(argument) for argument in arguments], catch_exceptions=False
    )


def refused(*arguments: str | Path) -> str:
    """The one line that a command says of wrong input, before it does anything."""
    result = guanyu(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def measured(directory: Path, *arguments: str | Path) -> tuple[str, str]:
    """What `guanyu bench` prints, in a process of its own, and the JSON that it writes."""
    path = directory / "measured.json"
    argv = ["bench", *map(str, arguments), "--quick", "--json", str(path)]
    finished = subprocess.run(
        [sys.executable, "-m", "guanyu_mpi", *argv],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return finished.stdout, path.read_text(encoding="utf-8")


def trace_hash(result: Result) -> str:
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("trace hash ")]
    return line.removeprefix("trace hash ")
