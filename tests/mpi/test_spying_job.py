"""A real MPI job with attackers that overhear their honest peers."""

import signal
from pathlib import Path

import pytest
from job_harness import QUADRATIC, Job, write_config

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.metrics import Event

pytestmark = pytest.mark.mpi

FOR_EVER = 10**6
# Thirteen ranks, on cores that others may use.
BUSY_S = 300.0
HONEST = range(5)
ATTACKED = """
[attack.workers]
name = "{worker_attack}"
count = 1

[attack.servers]
name = "{server_attack}"
count = 1
"""


def told(job: Job, role: Role, what: str) -> list[Event]:
    """What the honest nodes of a role tell of."""
    return [
        event
        for index in HONEST
        for event in job.events(Node(role, index))
        if event["event"] == what
    ]


def test_omniscient_workers_and_servers_hear_enough_to_speak(tmp_path: Path) -> None:
    """They say nothing before they have heard four others, and are in quorums all the same."""
    text = QUADRATIC.replace("every = 5", "every = 1")
    attacks = ATTACKED.format(worker_attack="alie", server_attack="split")
    job = Job(write_config(tmp_path, text + attacks, FOR_EVER), tmp_path / "run")

    def both_are_in_quorums() -> bool:
        # Four others are one too few for a quorum, and often the fifth is faster.
        commits = told(job, Role.SERVER, "commit")
        return all(
            any(attacker in str(event[kind]) for event in commits)
            for attacker, kind in (("worker-05", "gradients"), ("server-05", "updates"))
        )

    job.until(both_are_in_quorums, BUSY_S)
    job.process.send_signal(signal.SIGTERM)
    status, output = job.wait()
    assert status == 85, output
    assert {done.outcome for done in job.done().values()} == {"left"}
    assert [*told(job, Role.SERVER, "rejected"), *told(job, Role.WORKER, "rejected")] == []
