"""Whom a real MPI job suspects."""

from pathlib import Path

import pytest
from job_harness import QUADRATIC, Job, guanyu, write_config

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import load_config
from guanyu_mpi.standing import standings
from guanyu_mpi.suspicion import Sign, suspicions

pytestmark = pytest.mark.mpi

STEPS = 150
ATTACKER, VICTIM = Node(Role.WORKER, 5), Node(Role.SERVER, 2)
ATTACKED = QUADRATIC.replace("every = 5", "every = 1") + (
    "\n[attack.workers]\nname = 'reverse'\ncount = 1\n"
)


def test_an_attacker_is_faulty_and_who_was_killed_is_silent(tmp_path: Path) -> None:
    job = Job(write_config(tmp_path, ATTACKED, STEPS), tmp_path / "run")
    job.until(lambda: job.last_step(VICTIM) >= 20)
    job.kill(VICTIM)
    killed_at = job.last_step(VICTIM)
    status, output = job.wait()
    assert status == 0, output
    assert killed_at < STEPS - 20
    cluster = load_config(job.run_dir / "config.toml").nodes
    found = {at.node: at for at in suspicions(standings(cluster, job.run_dir), cluster)}
    assert found[ATTACKER].sign is Sign.FAULTY
    assert "100 % of its gradients rejected since step " in str(found[ATTACKER])
    assert found[VICTIM].sign is Sign.SILENT
    # Ranks that share two cores can be late; nobody honest is accused of more.
    others = {at.sign for node, at in found.items() if node not in (ATTACKER, VICTIM)}
    assert others <= {Sign.LATE}
    shown = guanyu("inspect", str(job.run_dir)).stdout
    assert f"suspected: {found[ATTACKER]}\n" in shown
    observed = job.observed()[-1]
    assert isinstance(observed["suspected_since"], dict)
    assert list(observed["suspected_since"]) == [str(ATTACKER)]
