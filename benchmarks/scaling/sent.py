"""How much of what could be sent was: newest wins, and a message that is replaced is not sent."""

from pathlib import Path

from scaling_plan import Job

from guanyu_mpi.cluster import Role
from guanyu_mpi.costs import traffic
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import read_events
from guanyu_mpi.transport.wire import frame_bytes


def sent_share(job: Job, run_dir: Path) -> float:
    """Bytes that a finished job has sent, as a share of every message of its steps once.

    What the observer is sent is not taken off; it is less than a hundredth.
    """
    cluster = job.cluster
    ranks = [cluster.rank(node) for node in cluster if node.role is not Role.OBSERVER]
    sent = sum(_sent_bytes(rank_log(run_dir, rank)) for rank in ranks)
    # The parameters after the last step tell workers that the run is over.
    last = cluster.servers * cluster.workers * frame_bytes(job.dimension)
    return sent / (job.steps * traffic(cluster, job.dimension).size_bytes + last)


def _sent_bytes(log: Path) -> int:
    """Of one rank, until it halted."""
    told = [event.get("sent_bytes") for event in read_events(log) if event["event"] == "halted"]
    return told[-1] if told and isinstance(told[-1], int) else 0
