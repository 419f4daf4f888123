"""jobs/experiment.sbatch: what an element of an array runs; Slurm and guanyu are played."""

import os
import subprocess
from pathlib import Path

import pytest

JOBS = Path(__file__).parents[2] / "jobs"
ELEMENT = {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_JOB_NODELIST": "node1"}


def element(project: Path, index: int, *files: str) -> subprocess.CompletedProcess[str]:
    """The element of an array that is submitted from a project's directory."""
    guanyu = project / ".venv" / "bin" / "guanyu"
    guanyu.parent.mkdir(parents=True)
    guanyu.write_text('#!/bin/sh\necho "guanyu $@"\n', encoding="utf-8")
    guanyu.chmod(0o755)
    (project / "jobs").symlink_to(JOBS)
    return subprocess.run(
        ["bash", "jobs/experiment.sbatch", *files],
        cwd=project,
        env={**os.environ, **ELEMENT, "SLURM_ARRAY_TASK_ID": str(index)},
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    "axes",
    [
        "[axes.seed]\n1 = { run.seed = 1 }",
        "[axes]\nseed = { 1 = { run.seed = 1 } }",
        "axes.seed.1.run.seed = 1",
        "  [ axes . seed ]\n  1 = { run.seed = 1 }",
    ],
)
def test_of_an_experiment_it_runs_one_cell(tmp_path: Path, axes: str) -> None:
    (tmp_path / "many.toml").write_text(f'name = "many"\n{axes}\n', encoding="utf-8")
    done = element(tmp_path, 3, "many.toml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "guanyu experiment many.toml --cell 3"


@pytest.mark.parametrize("files", [("a.toml",), ("b.toml", "a.toml")])
def test_of_configurations_it_runs_one(tmp_path: Path, files: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / name).write_text('[run]\nname = "axes"\n', encoding="utf-8")
    done = element(tmp_path, len(files) - 1, *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "guanyu launch a.toml"


def test_an_element_that_has_no_configuration_is_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[run]\nname = "a"\n', encoding="utf-8")
    done = element(tmp_path, 1, "a.toml")
    assert done.returncode == 2
    assert "element 1 of 1 configurations: use --array=0-0" in done.stderr
