"""Experiments on a problem that takes a second and no torch."""

import subprocess
import sys
from pathlib import Path

import tomli_w
from quadratic_runs import TINY

RULES = {
    "average": {"aggregation": {"gradients": "average"}},
    "median": {"aggregation": {"gradients": "median"}},
}
SEEDS = {"1": {"run": {"seed": 1}}, "2": {"run": {"seed": 2}}}


def write_experiment(directory: Path, axes: object, **keys: object) -> Path:
    """An experiment beside its base configuration; `keys` replace or add to its own."""
    (directory / "base.toml").write_text(tomli_w.dumps(TINY), encoding="utf-8")
    content = {"name": "tiny", "base": "base.toml", "how": "simulate", **keys, "axes": axes}
    path = directory / "experiment.toml"
    path.write_text(tomli_w.dumps(content), encoding="utf-8")
    return path


def started(path: Path, run_dir: Path, *options: str) -> "subprocess.Popen[str]":
    """`guanyu experiment` as a process of its own."""
    command = [sys.executable, "-m", "guanyu_mpi", "experiment", str(path), *options]
    return subprocess.Popen(
        [*command, "--run-dir", str(run_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(path: Path, run_dir: Path, *options: str) -> tuple[int, str]:
    """Exit status and output of it."""
    process = started(path, run_dir, *options)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output
