"""Reports and warnings of real MPI jobs."""

from pathlib import Path

import pytest
from job_harness import QUADRATIC, Job, write_config

pytestmark = pytest.mark.mpi

STEPS = 40


def job(directory: Path, sigma: float) -> Job:
    text = QUADRATIC.replace(
        'name = "quadratic"\n\n[train]', f'name = "quadratic"\noptions.sigma = {sigma}\n\n[train]'
    )
    return Job(write_config(directory, text, STEPS), directory / "run")


def test_too_much_noise_is_warned_of_while_it_runs_and_at_the_end(tmp_path: Path) -> None:
    running = job(tmp_path, sigma=3.0)
    status, output = running.wait()
    assert status == 0, output
    (warning,) = [str(event["warning"]) for event in running.observed() if "warning" in event]
    assert warning.startswith("multi-krum's guarantee needs ||gradient|| > eta sqrt(d) sigma")
    assert f"warning: {warning}\n" in output
    log = (tmp_path / "run" / "logs" / "mpirun.log").read_text()
    assert log.count(f"warning: {warning}\n") == 1


def test_little_noise_is_measured_and_not_warned_of(tmp_path: Path) -> None:
    running = job(tmp_path, sigma=1e-4)
    status, output = running.wait()
    assert status == 0, output
    assert "warning" not in output
    last = running.observed()[-1]
    assert last["step"] == STEPS
    margin, rank = last["margin"], last["rank"]
    assert isinstance(margin, float)
    assert margin > 1
    assert isinstance(rank, dict)
    assert len(rank) >= 5
