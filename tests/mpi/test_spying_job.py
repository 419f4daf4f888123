"""A real MPI job with attackers that overhear their honest peers."""

from pathlib import Path

import pytest
from job_harness import QUADRATIC, Job, write_config

from guanyu_mpi.cluster import Node, Role

pytestmark = pytest.mark.mpi

STEPS = 20
ATTACKED = """
[attack.workers]
name = "{worker_attack}"
count = 1

[attack.servers]
name = "{server_attack}"
count = 1
"""


def test_omniscient_workers_and_servers_hear_enough_to_speak(tmp_path: Path) -> None:
    """They say nothing before they have heard four others, and are in quorums all the same."""
    text = QUADRATIC.replace("every = 5", "every = 1")
    attacks = ATTACKED.format(worker_attack="alie", server_attack="split")
    job = Job(write_config(tmp_path, text + attacks, STEPS), tmp_path / "run")
    # Thirteen ranks, on cores that others may use.
    status, output = job.wait(300.0)
    assert status == 0, output
    assert {done.outcome for done in job.done().values()} == {"finished"}
    commits = [
        event
        for index in range(5)
        for event in job.events(Node(Role.SERVER, index))
        if event["event"] == "commit"
    ]
    assert any("worker-05" in str(event["gradients"]) for event in commits)
    assert any("server-05" in str(event["updates"]) for event in commits)
    rejected = [
        event
        for index in range(5)
        for role in (Role.SERVER, Role.WORKER)
        for event in job.events(Node(role, index))
        if event["event"] == "rejected"
    ]
    assert rejected == []
