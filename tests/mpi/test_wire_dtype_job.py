"""A real job whose vectors are rounded on their way, beside a simulation of the same."""

from pathlib import Path

import pytest
from job_harness import LOCKSTEP, Job, write_config

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.config import load_config
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.simulation import simulate
from guanyu_mpi.trace import params_digest

pytestmark = pytest.mark.mpi

STEPS = 30
NARROWED = LOCKSTEP + '\n[transport]\nwire_dtype = "bfloat16"\n'


def digests(run_dir: Path) -> list[str]:
    paths = [path_of(checkpoint_dir(run_dir), server, STEPS) for server in range(3)]
    return [params_digest(read(path).params) for path in paths]


def test_a_job_with_narrowed_vectors_ends_with_the_bits_of_a_simulation(tmp_path: Path) -> None:
    path = write_config(tmp_path, NARROWED, STEPS)
    simulate(load_config(path), tmp_path / "simulated")
    simulate(load_config(path, ["transport.wire_dtype=float32"]), tmp_path / "whole")
    job = Job(path, tmp_path / "run")
    status, output = job.wait()
    assert status == 0, output
    assert digests(job.run_dir) == digests(tmp_path / "simulated")
    assert digests(job.run_dir) != digests(tmp_path / "whole")
