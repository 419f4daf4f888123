"""The model of one machine: a few unknown costs of messages, found in the smallest jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from known_costs import Known
from phases import Platform, Work, step_s
from scaling_plan import Job

from guanyu_mpi.costs import traffic


@dataclass(frozen=True, slots=True)
class MessageCosts:
    """Seconds of a core that a message takes, at both of its ends and wherever it passes.

    A part for every message, looks for it among them, and one for each of its bytes.
    """

    each_s: float
    byte_s: float

    def message_s(self, size_bytes: float) -> float:
        """Of a message of this size."""
        return self.each_s + self.byte_s * size_bytes


def modelled_s(job: Job, known: Known, costs: MessageCosts, cores: int) -> float:
    """Seconds of a step where all ranks share the cores of one machine, and keep them busy."""
    cluster = job.cluster
    size_bytes = _message_bytes(job)
    message_s = costs.message_s(size_bytes)
    ranks = cluster.servers + cluster.workers
    platform = Platform(np.zeros(ranks, np.intp), np.array([np.inf]), cores, 0.0)
    work = Work(
        known.gradient_s, known.rule_s, known.median_s, known.median_s, message_s, message_s
    )
    return step_s(cluster, size_bytes, platform, work) + _observing_s(job, known, costs, cores)


def calibrated(jobs: Sequence[tuple[Job, Known, float]], cores: int) -> MessageCosts:
    """The costs with which the model comes nearest to the work of steps that was measured.

    Work is seconds of a core. The time that a step took is no measure of it: a core that nobody
    had a use for would be a cost of messages.
    """
    # What a job takes is linear in them: a column for each, and what is known taken off.
    units = (MessageCosts(1, 0), MessageCosts(0, 1))
    nothing = MessageCosts(0, 0)
    known = np.array([modelled_s(job, own, nothing, cores) for job, own, _ in jobs])
    columns = [
        [modelled_s(job, own, unit, cores) for job, own, _ in jobs] - known for unit in units
    ]
    worked = np.array([work_s for *_, work_s in jobs]) / cores
    # Relative errors count, so that milliseconds matter beside seconds.
    found = least_squares(np.stack(columns, axis=1) / worked[:, None], 1 - known / worked)
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
    message_s = costs.message_s(_message_bytes(job))
    each_s = servers * (known.estimate_s + message_s) + known.observation_s
    return each_s / cores / job.told_every


def _message_bytes(job: Job) -> float:
    moved = traffic(job.cluster, job.dimension)
    return moved.size_bytes / moved.messages
