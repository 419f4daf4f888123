"""The model of one machine: a few unknown costs of messages, found in the smallest jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from known_costs import Known
from phases import Platform, Work, step_s
from scaling_plan import Job

from guanyu_mpi.cluster import Role
from guanyu_mpi.costs import flow, traffic


@dataclass(frozen=True, slots=True)
class MessageCosts:
    """Seconds of a core that a message takes, at both of its ends and wherever it passes.

    A part for every message, one for each peer that is looked at while waiting for it, and one for
    each of its bytes.
    """

    each_s: float
    peer_s: float
    byte_s: float

    def message_s(self, peers: int, size_bytes: float) -> float:
        """Of a message to a node with so many peers."""
        return self.each_s + self.peer_s * peers + self.byte_s * size_bytes


def modelled_s(job: Job, known: Known, costs: MessageCosts, cores: int) -> float:
    """Seconds of a step where all ranks share the cores of one machine."""
    cluster = job.cluster
    size_bytes = _message_bytes(job)
    to_server, to_worker = (
        costs.message_s(flow(cluster, role).received + (role is Role.SERVER), size_bytes)
        for role in (Role.SERVER, Role.WORKER)
    )
    ranks = cluster.servers + cluster.workers
    platform = Platform(np.zeros(ranks, np.intp), np.array([np.inf]), cores, 0.0)
    work = Work(
        known.gradient_s, known.rule_s, known.median_s, known.median_s, to_server, to_worker
    )
    return step_s(cluster, size_bytes, platform, work) + _observing_s(job, known, costs, cores)


def calibrated(jobs: Sequence[tuple[Job, Known, float]], cores: int) -> MessageCosts:
    """The costs with which the model comes nearest to seconds per step that were measured."""
    # What a job takes is linear in them: a column for each, and what is known taken off.
    units = (MessageCosts(1, 0, 0), MessageCosts(0, 1, 0), MessageCosts(0, 0, 1))
    nothing = MessageCosts(0, 0, 0)
    known = np.array([modelled_s(job, own, nothing, cores) for job, own, _ in jobs])
    columns = [
        [modelled_s(job, own, unit, cores) for job, own, _ in jobs] - known for unit in units
    ]
    measured = np.array([seconds for *_, seconds in jobs])
    # Relative errors count, so that milliseconds matter beside seconds.
    found = least_squares(np.stack(columns, axis=1) / measured[:, None], 1 - known / measured)
    return MessageCosts(*(float(cost) for cost in found))


def least_squares(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The x of least |matrix x - wanted| without a negative number; for a few columns."""
    best, least = np.zeros(matrix.shape[1]), float(np.sum(wanted**2))
    for size in range(1, matrix.shape[1] + 1):
        for columns in map(list, combinations(range(matrix.shape[1]), size)):
            x = np.linalg.lstsq(matrix[:, columns], wanted)[0]
            error = float(np.sum((matrix[:, columns] @ x - wanted) ** 2))
            if np.all(x >= 0) and error < least:
                best, least = np.zeros(matrix.shape[1]), error
                best[columns] = x
    return best


def _observing_s(job: Job, known: Known, costs: MessageCosts, cores: int) -> float:
    """Of the steps that are observed, spread over all."""
    servers = job.cluster.servers
    message_s = costs.message_s(servers, _message_bytes(job))
    each_s = servers * (known.estimate_s + message_s) + known.observation_s
    return each_s / cores / job.told_every


def _message_bytes(job: Job) -> float:
    moved = traffic(job.cluster, job.dimension)
    return moved.size_bytes / moved.messages
