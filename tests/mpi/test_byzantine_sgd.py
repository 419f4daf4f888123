"""One trusted server and any rule: what configs/byzantine-sgd.toml promises, over real MPI."""

from pathlib import Path

import pytest
from job_harness import ROOT, Job

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

CONFIG = ROOT / "configs" / "byzantine-sgd.toml"
STEPS = 400
# Twenty ranks on two cores.
WAIT_S = 300.0


def accuracy(run_dir: Path, *overrides: str) -> float:
    job = Job(CONFIG, run_dir, *overrides)
    status, output = job.wait(WAIT_S)
    assert status == 0, output
    last = job.observed()[-1]
    assert last["step"] == STEPS
    value = last["accuracy"]
    assert isinstance(value, float)
    return value


def test_five_attackers_of_eighteen_cost_no_accuracy(tmp_path: Path) -> None:
    attacked = accuracy(tmp_path / "attacked")
    alone = accuracy(tmp_path / "alone", "attack.workers.count=0")
    assert attacked >= 0.90
    # Two asynchronous runs differ by half a point without any attack.
    assert abs(attacked - alone) <= 0.02


def test_the_average_does_not_survive_them(tmp_path: Path) -> None:
    job = Job(CONFIG, tmp_path / "average", "aggregation.gradients=average", "run.steps=60")
    _, output = job.wait(WAIT_S)
    assert "tolerates no Byzantine worker" in output
    last = job.observed()[-1]["accuracy"]
    assert isinstance(last, float)
    assert last < 0.30
