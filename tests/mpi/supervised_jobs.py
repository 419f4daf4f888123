"""Jobs of which one rank misbehaves, supervised within this process, and what is left of them."""

import json
from pathlib import Path

import psutil
import pytest
from job_harness import QUADRATIC, Job, write_config

from guanyu_mpi import launch as launching
from guanyu_mpi.config import Config, load_config
from guanyu_mpi.launch import Verdict, launch
from guanyu_mpi.run_dir import prepare_run_dir
from guanyu_mpi.transport.library import Library

PROGRAM = Path(__file__).parent / "programs" / "misbehaving_rank.py"


def misbehaving(monkeypatch: pytest.MonkeyPatch, deeds: dict[str, str], step: int = 0) -> None:
    """Have every rank of the jobs to come started by the program above."""
    honest = launching.command

    def command(launcher: Path, library: Library, num_ranks: int, run_dir: Path) -> list[str]:
        argv = honest(launcher, library, num_ranks, run_dir)
        at = argv.index("-m")
        return [*argv[:at], str(PROGRAM), json.dumps(deeds), str(step), *argv[at + 2 :]]

    monkeypatch.setattr(launching, "command", command)


def configured(tmp_path: Path, steps: int, *overrides: str, text: str = QUADRATIC) -> Config:
    return load_config(write_config(tmp_path, text, steps), overrides)


def supervise(config: Config, run_dir: Path) -> tuple[Verdict, list[psutil.Process]]:
    """Run a job as `guanyu launch` does; its end, and all processes that it ever had."""
    prepare_run_dir(run_dir, config, fresh=False)
    family: set[psutil.Process] = set()

    def look() -> None:
        family.update(psutil.Process().children(recursive=True))

    verdict = launch(config, run_dir, look)
    return verdict, sorted(family, key=lambda process: process.pid)


def assert_nobody_is_left(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive


def done_deeds(run_dir: Path) -> set[str]:
    """Who did what it was to do."""
    return {path.name.removeprefix("deed-") for path in run_dir.glob("deed-*")}


def mpirun_of(job: Job) -> psutil.Process:
    children = psutil.Process(job.process.pid).children()
    (launcher,) = [child for child in children if child.name() in ("mpirun", "prterun")]
    return launcher


def ranks_of(job: Job) -> list[psutil.Process]:
    """The ranks of a job, each a fork of its nursery."""
    return [process for process in job.family() if process.name().startswith("rank-")]
