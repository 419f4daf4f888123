"""Which ranks an operator should look at, why, and what to do: evidence, never an exclusion.

What is a sign and what is not, and why:
- rejected nearly always: more than 80 % of a stretch of looks, and so long that chance explains it
  less often than once in 10^7 stretches (episode.py). An honest rank's share is f / q, below 1/2.
  With most of them clear outliers the rank is likely faulty; without, it is unlike the others,
  which honest ranks with data of their own are as well.
- malformed frames and vectors that are not finite: one is enough where more receivers have
  counted it than can lie, for no honest rank of a healthy run sends any.
- late: in less than a quarter of the quorums that it would be in by chance. Slow is not faulty.
- silent: in none of the last quorums, and its own log has ended.
An attack that stays among the honest vectors leaves no sign here, and does no more than they do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.standing import BadFrames, Standing

LATE_SHARE = 1 / 4
# By chance alone fewer than a quarter of 12 expected quorums come once in 400 ranks.
LATE_EXPECTED_MIN = 12.0


class Sign(Enum):
    """What a finding points to, gravest first, and what should be done about it."""

    SILENT = "dead, hung or cut off: see whether its process lives"
    FAULTY = "likely faulty: drain it"
    DISPUTED = "it or who claims this is faulty: look at both"
    UNLIKE = "unlike the others: look at its data and its host"
    LATE = "slow, or sends to nobody: look at its host's load and its links"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against a rank."""

    sign: Sign
    evidence: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """All that speaks against one rank, the gravest first."""

    rank: int
    node: Node
    host: str
    findings: tuple[Finding, ...]

    @property
    def sign(self) -> Sign:
        """The gravest of its signs."""
        return self.findings[0].sign

    def __str__(self) -> str:
        evidence = "; ".join(finding.evidence for finding in self.findings)
        return f"rank {self.rank} ({self.node}), node {self.host}: {evidence}: {self.sign.value}"


def suspicions(found: Sequence[Standing], cluster: Cluster) -> list[Suspicion]:
    """The ranks that something speaks against, by rank."""
    diverged = {role for role in Role if _many_non_finite(found, cluster, role)}
    suspected = []
    for standing in found:
        order = list(Sign)
        findings = sorted(
            _findings(standing, diverged=standing.node.role in diverged),
            key=lambda finding: order.index(finding.sign),
        )
        if findings:
            at = standing.rank, standing.node, standing.host
            suspected.append(Suspicion(*at, tuple(findings)))
    return suspected


def _many_non_finite(found: Sequence[Standing], cluster: Cluster, role: Role) -> bool:
    """Whether more of a role sent NaN than can be faulty: the run has diverged, and nobody did it.

    A node that finds itself diverged sends NaN so that the others learn of it.
    """
    senders = [at for at in found if at.node.role is role and at.non_finite.known]
    return len(senders) > cluster.byzantine(role)


def _findings(standing: Standing, *, diverged: bool) -> Iterator[Finding]:
    yield from _rejected(standing)
    yield from _bad(standing.malformed, "malformed frame", "malformed frames")
    if not diverged:
        yield from _bad(standing.non_finite, "vector with NaN", "vectors with NaN or infinity")
    yield from _missed(standing)


def _rejected(standing: Standing) -> Iterator[Finding]:
    stretch = standing.stretch
    if stretch is None:
        return
    worker = standing.node.role is Role.WORKER
    what = "gradients rejected" if worker else "parameters far from the others'"
    until = "since" if stretch.lasting else f"until step {stretch.until}, since"
    evidence = f"{_percent(stretch.rejected / stretch.looks)} of its {what} {until} step "
    sign = Sign.FAULTY if stretch.clear else Sign.UNLIKE
    yield Finding(sign, f"{evidence}{stretch.since}")


def _bad(frames: BadFrames, one: str, many: str) -> Iterator[Finding]:
    if frames.known:
        count = f"a {one}" if frames.known == 1 else f"at least {frames.known} {many}"
        yield Finding(Sign.FAULTY, count)
    elif frames.claimed_by:
        claimants = ", ".join(str(node) for node in frames.claimed_by)
        yield Finding(Sign.DISPUTED, f"{many}, as {claimants} alone claims")


def _missed(standing: Standing) -> Iterator[Finding]:
    attendance = standing.attendance
    if attendance is None:
        return
    if attendance.unheard:
        yield Finding(Sign.SILENT, f"in no quorum since step {attendance.last_step}")
        return
    expected = standing.fair * attendance.quorums
    if expected >= LATE_EXPECTED_MIN and attendance.present < LATE_SHARE * standing.fair:
        present, fair = _percent(attendance.present), _percent(standing.fair)
        yield Finding(Sign.LATE, f"in {present} of the quorums, {fair} would be its part")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
