"""A real job of thirteen ranks, attacked and asynchronous, is rerun from its trace bit for bit."""

from pathlib import Path

import pytest
from job_harness import QUADRATIC, Job, guanyu, write_config

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import load_config
from guanyu_mpi.messages import Gradient, Update
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.trace import params_digest, read_segments, trace_path

pytestmark = pytest.mark.mpi

ATTACKED = (
    QUADRATIC
    + """
[attack.workers]
name = "reverse"
count = 1

[attack.servers]
name = "equivocate"
count = 1
"""
)
DIGITS = ATTACKED.replace(
    'name = "quadratic"\n\n[train]', 'name = "mlp"\n\n[data]\nname = "mnist-small"\n\n[train]'
)
VICTIM = Node(Role.SERVER, 2)


def digests(run_dir: Path, step: int) -> dict[int, str]:
    """Of the parameters that the servers have saved at a step."""
    root = checkpoint_dir(run_dir)
    paths = {server: path_of(root, server, step) for server in range(6)}
    return {
        server: params_digest(read(path).params) for server, path in paths.items() if path.exists()
    }


def num_memberships(run_dir: Path, server: int) -> int:
    """How many different sets of workers a server has combined gradients of."""
    (segment,) = read_segments(trace_path(run_dir, server))
    table = segment.tables[Gradient]
    return len({taken.senders for step in table if (taken := table.get(step))})


@pytest.mark.parametrize(
    ("text", "steps", "kill_at"),
    [
        pytest.param(ATTACKED, 200, 20, id="quadratic"),
        pytest.param(DIGITS, 60, 10, id="mnist-small", marks=pytest.mark.slow),
    ],
)
def test_a_job_with_a_killed_server_is_replayed_to_the_same_parameters(
    tmp_path: Path, text: str, steps: int, kill_at: int
) -> None:
    config = write_config(tmp_path, text, steps)
    job = Job(config, tmp_path / "run")
    job.until(lambda: job.last_step(Node(Role.SERVER, 0)) >= kill_at)
    job.kill(VICTIM)
    status, output = job.wait()
    assert status == 0, output
    # It did die, and in mid-run; the others went on, and not in lockstep.
    assert str(VICTIM) not in job.done()
    (segment,) = read_segments(trace_path(job.run_dir, VICTIM.index))
    died_at = max(segment.tables[Update]) + 1
    assert died_at < steps
    saved = digests(job.run_dir, steps)
    assert sorted(saved) == [0, 1, 3, 4, 5]
    assert num_memberships(job.run_dir, 0) > 1
    replayed = guanyu("replay", str(job.run_dir))
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    for server, digest in saved.items():
        told = f"server-{server:02d}: step {steps}, sha256 {digest}: equal to its checkpoint"
        assert told in replayed.stdout.splitlines()
    assert f"{VICTIM} (its trace ends at {died_at})" in replayed.stdout
    assert replayed.stderr == ""


def test_a_job_that_was_killed_and_continued_is_replayed(tmp_path: Path) -> None:
    config = write_config(tmp_path, ATTACKED, 200)
    job = Job(config, tmp_path / "run")
    job.until(lambda: job.last_step(Node(Role.SERVER, 0)) >= 50)
    job.kill_all()
    assert not job.done()
    job.start()
    status, output = job.wait()
    assert status == 0, output
    first, second = read_segments(trace_path(job.run_dir, 0))
    assert first.tables[Update]
    assert second.header.step >= 10
    assert load_config(config).nodes.num_ranks == 13
    replayed = guanyu("replay", str(job.run_dir))
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert replayed.stdout.count("equal to its checkpoint") == 6
    steps = {"--from": "195", "--to": "196", "--server": "4"}
    examined = guanyu(
        "replay", str(job.run_dir), *(word for pair in steps.items() for word in pair)
    )
    assert examined.returncode == 0, examined.stderr
    assert "life 2 step 195 server-04" in examined.stdout
