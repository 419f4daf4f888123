"""What a real job leaves of its workers' momentum when it is told to leave."""

import signal
from pathlib import Path

import pytest
from job_harness import LOCKSTEP, Job, write_config

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import load_config
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.simulation import simulate
from guanyu_mpi.trace import params_digest, read_segments, trace_path

pytestmark = pytest.mark.mpi

STEPS = 400
WITH_MOMENTUM = LOCKSTEP.replace(
    "learning_rate = 0.1\n\n[checkpoint]\nevery = 10",
    f"learning_rate = 0.1\nmomentum = 0.9\n\n[checkpoint]\nevery = {STEPS}",
)
SERVER = Node(Role.SERVER, 0)


def digests(run_dir: Path) -> list[str]:
    paths = [path_of(checkpoint_dir(run_dir), server, STEPS) for server in range(3)]
    return [params_digest(read(path).params) for path in paths]


@pytest.mark.parametrize("every", [1, 16])
def test_a_job_with_momentum_that_is_told_to_leave_ends_with_the_same_bits(
    tmp_path: Path, every: int
) -> None:
    """Nothing is saved but where it is left: at the last contraction of those every T steps."""
    contracting = WITH_MOMENTUM.replace("momentum =", f"contract_every = {every}\nmomentum =")
    path = write_config(tmp_path, contracting, STEPS)
    config = load_config(path)
    assert config.train.contract_every == every
    assert (config.train.momentum, config.checkpoint.every) == (0.9, STEPS)
    simulate(config, tmp_path / "simulated")
    job = Job(path, tmp_path / "run")
    job.until(lambda: job.last_step(SERVER) >= 50)
    job.process.send_signal(signal.SIGUSR1)
    status, output = job.wait()
    assert status == 85, output
    job.start()
    status, output = job.wait()
    assert status == 0, output
    for worker in config.nodes.nodes(Role.WORKER):
        _, second = read_segments(trace_path(job.run_dir, config.nodes.rank(worker)))
        assert 50 - every < second.header.step < STEPS
        assert second.header.step % every == 0
        assert second.header.sources == (worker.index,)
    assert digests(job.run_dir) == digests(tmp_path / "simulated")
