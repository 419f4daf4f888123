"""What is in a directory of checkpoints, for people: every file, and what a restart would take."""

from dataclasses import dataclass
from pathlib import Path

from guanyu_mpi.checkpoint.evidence import Evidence
from guanyu_mpi.checkpoint.hdf5 import Header
from guanyu_mpi.checkpoint.restore import Contraction, StrayError, origin
from guanyu_mpi.checkpoint.store import path_of
from guanyu_mpi.checkpoint.vector_file import FileError
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Finding:
    """One file: what it says about itself (None if it is not valid), and what is wrong with it."""

    path: Path
    server: int
    step: int
    header: Header | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restart does: the step it takes, None if it refuses, and why.

    `own` are the servers that go on from their own file and `median` those that begin with the
    median of the holders'; `faults` are what is wrong with the files that it looks at.
    """

    step: int | None
    why: str
    own: tuple[int, ...] = ()
    median: tuple[int, ...] = ()
    faults: tuple[FileError, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """Every file by server, newest first, and what a restart does."""

    findings: tuple[Finding, ...]
    plan: Plan


def survey(
    root: Path,
    cluster: Cluster,
    contraction: Contraction,
    dimension: int | None = None,
    identity: str | None = None,
) -> Survey:
    """Read every file and change nothing; without a dimension or an identity any will do."""
    evidence = Evidence(root, cluster, dimension, identity)
    try:
        plan = _plan(evidence, cluster, contraction)
    except CheckpointError as refusal:
        plan = Plan(None, str(refusal))
    known = {at[1] for at in (*evidence.headers, *evidence.faults)}
    # What the decision did not need is read for the report alone.
    for unread in {step for steps in evidence.present.values() for step in steps} - known:
        evidence.read(unread)
    return Survey(tuple(_findings(evidence, plan)), plan)


def plan(
    root: Path,
    cluster: Cluster,
    contraction: Contraction,
    dimension: int,
    identity: str,
) -> Plan:
    """What a restart would do, changing nothing; raises CheckpointError where it would refuse."""
    return _plan(Evidence(root, cluster, dimension, identity), cluster, contraction)


def _plan(evidence: Evidence, cluster: Cluster, contraction: Contraction) -> Plan:
    found = origin(evidence, contraction)
    if found is None:
        begun = "no server got beyond its first checkpoint, and no quorum finished that"
        return Plan(0, begun if any(evidence.present.values()) else "there are no checkpoints")
    servers = range(cluster.servers)
    return Plan(
        found.election.step,
        str(found.election),
        own=tuple(server for server in servers if server in found.own),
        median=tuple(server for server in servers if server not in found.own),
        faults=found.faults,
    )


def _findings(evidence: Evidence, plan: Plan) -> list[Finding]:
    strays = {fault.path: fault for fault in plan.faults if isinstance(fault, StrayError)}
    findings = []
    for server, steps in evidence.present.items():
        for step in steps:
            path = path_of(evidence.root, server, step)
            fault = evidence.faults.get((server, step)) or strays.get(path)
            header = evidence.headers.get((server, step))
            reason = fault.reason if fault else None
            findings.append(Finding(path, server, step, header, reason))
    return findings
