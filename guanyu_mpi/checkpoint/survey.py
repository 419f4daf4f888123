"""What is in a directory of checkpoints, for people: every file, and what a restart would take."""

from dataclasses import dataclass
from pathlib import Path

from guanyu_mpi.checkpoint.evidence import Evidence
from guanyu_mpi.checkpoint.hdf5 import Header
from guanyu_mpi.checkpoint.store import path_of
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Finding:
    """One file: what it says about itself (None if it is not valid), and why it is not."""

    path: Path
    server: int
    step: int
    header: Header | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Survey:
    """Every file by server, newest first; the step a restart takes, None if it refuses; why."""

    findings: tuple[Finding, ...]
    step: int | None
    why: str


def survey(
    root: Path, cluster: Cluster, dimension: int | None = None, identity: str | None = None
) -> Survey:
    """Read every file and change nothing; without a dimension or an identity any will do."""
    evidence = Evidence(root, cluster, dimension, identity)
    step, why = _decision(evidence)
    known = {at[1] for at in (*evidence.headers, *evidence.faults)}
    # What the decision did not need is read for the report alone.
    for unread in {step for steps in evidence.present.values() for step in steps} - known:
        evidence.read(unread)
    return Survey(tuple(_findings(evidence)), step, why)


def _decision(evidence: Evidence) -> tuple[int | None, str]:
    try:
        election = evidence.election()
    except CheckpointError as fault:
        return None, str(fault)
    if election is None and evidence.present:
        return 0, "no server got beyond its first checkpoint, and no quorum finished that"
    if election is None:
        return 0, "there are no checkpoints"
    return election.step, str(election)


def _findings(evidence: Evidence) -> list[Finding]:
    findings = []
    for server, steps in evidence.present.items():
        for step in steps:
            fault = evidence.faults.get((server, step))
            header = evidence.headers.get((server, step))
            path = path_of(evidence.root, server, step)
            reason = fault.reason if fault else None
            findings.append(Finding(path, server, step, header, reason))
    return findings
