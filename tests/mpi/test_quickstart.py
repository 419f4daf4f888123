"""What the README promises of configs/quickstart.toml, on real digits over real MPI."""

from pathlib import Path
from statistics import fmean

import pytest
from job_harness import ROOT, Job

from guanyu_mpi.cluster import Node, Role

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

QUICKSTART = ROOT / "configs" / "quickstart.toml"
STEPS = 400


def accuracy(job: Job) -> float:
    """The mean of the last five observations: one alone goes up and down by a point or two."""
    assert job.observed()[-1]["step"] == STEPS
    values = [seen["accuracy"] for seen in job.observed()[-5:]]
    assert all(isinstance(value, float) for value in values)
    return fmean(values)


@pytest.fixture(scope="module")
def unattacked(tmp_path_factory: pytest.TempPathFactory) -> float:
    run_dir = tmp_path_factory.mktemp("unattacked") / "run"
    job = Job(QUICKSTART, run_dir, "attack.workers.count=0", "attack.servers.count=0")
    status, output = job.wait()
    assert status == 0, output
    return accuracy(job)


def test_under_attack_it_learns_as_well_as_without(tmp_path: Path, unattacked: float) -> None:
    job = Job(QUICKSTART, tmp_path / "run")
    status, output = job.wait()
    assert status == 0, output
    assert accuracy(job) >= 0.88
    assert abs(accuracy(job) - unattacked) <= 0.02


def test_averaging_under_the_same_attack_fails(tmp_path: Path) -> None:
    job = Job(QUICKSTART, tmp_path / "run", "aggregation.gradients=average")
    status, output = job.wait()
    assert "tolerates no Byzantine worker" in output
    last = job.observed()[-1]["accuracy"]
    assert isinstance(last, float)
    assert last < 0.30
    # Either every unit is dead and nothing moves any more, or the parameters grow until they are
    # not finite; which one is up to who was among the first. Neither is a hang.
    assert status == 0 or "diverged" in output


@pytest.mark.parametrize("victim", [Node(Role.SERVER, 1), Node(Role.WORKER, 1)], ids=str)
def test_under_attack_it_learns_as_well_when_an_honest_rank_is_killed(
    tmp_path: Path, unattacked: float, victim: Node
) -> None:
    job = Job(QUICKSTART, tmp_path / "run")
    job.until(lambda: job.last_step(Node(Role.SERVER, 0)) >= 50)
    job.kill(victim)
    status, output = job.wait()
    assert status == 0, output
    assert str(victim) not in job.done()
    assert accuracy(job) >= 0.88
    assert abs(accuracy(job) - unattacked) <= 0.02
