"""Commands of `guanyu` in this process, on a problem that takes a second and no torch."""

from collections.abc import Mapping
from pathlib import Path

import tomli_w
from click.testing import CliRunner, Result

from guanyu_mpi.cli import main

GUANYU: dict[str, dict[str, object]] = {
    "run": {"name": "tiny", "steps": 12, "seed": 3},
    "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
    "model": {"name": "quadratic", "options": {"dimension": 20}},
    "train": {"learning_rate": 0.2},
    "checkpoint": {"every": 5},
    "observe": {"every": 4},
}


def write_config(directory: Path, changes: Mapping[str, Mapping[str, object]] = {}) -> Path:
    """A configuration file; `changes` replace keys of sections."""
    sections = {
        name: {**GUANYU.get(name, {}), **changes.get(name, {})} for name in {**GUANYU, **changes}
    }
    path = directory / "tiny.toml"
    path.write_text(tomli_w.dumps(sections), encoding="utf-8")
    return path


def guanyu(*arguments: str | Path) -> Result:
    """Run a command; what it raises by mistake is raised here."""
    return CliRunner().invoke(
        main, [str(argument) for argument in arguments], catch_exceptions=False
    )


def trace_hash(result: Result) -> str:
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("trace hash ")]
    return line.removeprefix("trace hash ")
