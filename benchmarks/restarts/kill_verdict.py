"""What a killed job has left: how far it was, where a restart begins, and what is wrong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from guanyu_mpi.assembly import Assembly
from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.config import Config
from guanyu_mpi.errors import GuanYuError
from guanyu_mpi.messages import Update
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.trace import Segment, params_digest, read_segments, trace_path


@dataclass(frozen=True, slots=True)
class Left:
    """After a kill: the step that a quorum of servers had reached, and the one a restart takes.

    `life` is the newest that has recorded anything, `digests` are those of the files that
    servers go on from; `split` says whether some servers, and too few, have a file of a later one.
    """

    reached: int
    restart: int
    life: int
    digests: Mapping[int, str]
    split: bool = False
    wrong: tuple[str, ...] = ()

    @property
    def lost(self) -> int:
        """Steps that will be done again."""
        return max(self.reached - self.restart, 0)


NOTHING = Left(0, 0, 0, {})


def left(config: Config, run_dir: Path, before: Left) -> Left:
    """Judge what a kill has left, by what the kill before it had left."""
    cluster = config.nodes
    try:
        survey = Assembly(config, run_dir).saves.survey()
        segments = _segments_since(run_dir, cluster, before)
        plan = survey.plan
        if plan.step is None:
            return replace(before, wrong=(f"refused: {plan.why}",))
        digests = _digests(run_dir, plan.own, plan.step)
    except GuanYuError as error:
        return replace(before, wrong=(f"unusable: {error}",))
    reached = sorted(_reached(segment, before) for segment in segments.values())
    # What all servers had but those that a quorum does without.
    quorum_reached = reached[cluster.servers - cluster.server_quorum]
    damaged = [f"{one.path}: {one.reason}" for one in survey.findings if one.reason]
    return Left(
        quorum_reached,
        plan.step,
        max([before.life, *(one.header.life for one in segments.values() if one)]),
        digests,
        any(finding.step > plan.step for finding in survey.findings),
        (
            *damaged,
            *_began_elsewhere(segments, before),
            *_lost_too_much(config, quorum_reached, plan.step, before),
        ),
    )


def ended(config: Config, run_dir: Path, before: Left, expected: Mapping[int, str]) -> Left:
    """Judge a run that has ended by itself; `expected` are the digests it must end with."""
    found = left(config, run_dir, before)
    wrong = list(found.wrong)
    if found.restart != config.run.steps:
        wrong.append(f"ended at step {found.restart}")
    if expected and found.digests != expected:
        wrong.append("ended with other parameters than a run that was never killed")
    return replace(found, wrong=tuple(wrong))


def is_lockstep(cluster: Cluster) -> bool:
    """Whether all wait for all, so that every run is the same, bit for bit."""
    everyone = cluster.servers, cluster.workers
    return (cluster.server_quorum, cluster.worker_quorum) == everyone


def _segments_since(run_dir: Path, cluster: Cluster, before: Left) -> dict[int, Segment | None]:
    """What each server has recorded in the life that was killed now; None if it did not begin."""
    newest = {}
    for node in cluster.nodes(Role.SERVER):
        path = trace_path(run_dir, cluster.rank(node))
        segments = read_segments(path) if path.exists() else []
        newest[node.index] = next(
            (one for one in reversed(segments) if one.header.life > before.life), None
        )
    return newest


def _reached(segment: Segment | None, before: Left) -> int:
    """The step that a server had in its memory."""
    if segment is None:
        return before.restart
    return max([segment.header.step, *(step + 1 for step in segment.tables[Update])])


def _began_elsewhere(segments: Mapping[int, Segment | None], before: Left) -> Iterator[str]:
    """Servers that did not go on from where the files said that they would."""
    for server, segment in segments.items():
        if segment is None:
            continue
        header = segment.header
        if header.step != before.restart:
            yield f"server {server} went on from step {header.step}, not {before.restart}"
        elif before.digests.get(server, header.digest) != header.digest:
            yield f"server {server} went on from other parameters than its checkpoint's"


def _lost_too_much(config: Config, reached: int, restart: int, before: Left) -> Iterator[str]:
    every = config.checkpoint.every
    # The newest that was due may be on its way to the disk: the one before it must be there.
    if restart < reached // every * every - every:
        yield f"lost more than one checkpoint: was at step {reached}, and every {every}th is saved"
    if restart < before.restart:
        yield f"would begin at step {restart}, and would have begun at {before.restart} before"


def _digests(run_dir: Path, servers: Iterable[int], step: int) -> dict[int, str]:
    paths = {server: path_of(checkpoint_dir(run_dir), server, step) for server in servers}
    return {server: params_digest(read(path).params) for server, path in paths.items()}
