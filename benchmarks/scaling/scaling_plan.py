"""What is run here: sizes from 7 to 49 ranks, with small vectors and with 7 MB."""

from collections.abc import Iterator
from dataclasses import dataclass

from guanyu_mpi.cluster import Cluster, default_quorum
from guanyu_mpi.costs import traffic

Config = dict[str, dict[str, object]]

SMALL, LARGE = 1_000, 1_750_000
# Servers and workers; where everyone is waited for, each of a step's messages counts.
SIZES = ((3, 3), (6, 6), (6, 18), (9, 27), (12, 36))
# And with as many Byzantine ones declared as can be, as a run would be.
DECLARED = ((6, 18), (12, 36))
# Of these the model's unknowns are found; the others it has to predict.
CALIBRATING = ((3, 3), (6, 18))


@dataclass(frozen=True, slots=True)
class Job:
    """One real job: its cluster, its vectors, and from which step to which it is measured."""

    cluster: Cluster
    dimension: int
    told_every: int

    @property
    def name(self) -> str:
        """What it is called in tables."""
        declared = "declared" if self.cluster.byzantine_workers else "all"
        sizes = f"{self.cluster.servers} + {self.cluster.workers}"
        return f"{sizes}, d = {self.dimension:,}, {declared}"

    @property
    def calibrates(self) -> bool:
        """Whether the model has seen it before it is asked."""
        sizes = self.cluster.servers, self.cluster.workers
        return not self.cluster.byzantine_workers and sizes in CALIBRATING

    @property
    def start(self) -> int:
        """The first step that is measured."""
        return self.told_every

    @property
    def end(self) -> int:
        """The last step that is measured."""
        return 3 * self.told_every

    @property
    def steps(self) -> int:
        """Steps of the run: a few more, so that nobody leaves while they are measured."""
        return self.end + 1 + self.told_every // 4

    @property
    def config(self) -> Config:
        """Its configuration."""
        cluster = self.cluster
        return {
            "run": {"name": "scaling", "steps": self.steps, "seed": 3},
            "cluster": {
                "servers": cluster.servers,
                "byzantine_servers": cluster.byzantine_servers,
                "workers": cluster.workers,
                "byzantine_workers": cluster.byzantine_workers,
            },
            "model": {"name": "quadratic", "options": {"dimension": self.dimension}},
            "train": {"learning_rate": 0.1},
            # Nothing is saved while it is measured.
            "checkpoint": {"every": self.steps},
            "observe": {"every": self.told_every},
        }


def jobs() -> Iterator[Job]:
    """All that are measured, smallest first."""
    for dimension, messages in ((SMALL, 8_000), (LARGE, 0)):
        for servers, workers in SIZES:
            yield _job(Cluster(servers, 0, servers, workers, 0, workers), dimension, messages)
        for servers, workers in DECLARED:
            yield _job(declared(servers, workers), dimension, messages)


def _job(cluster: Cluster, dimension: int, messages: int) -> Job:
    """A job that is told after so many messages, and of at least five steps."""
    return Job(cluster, dimension, max(5, messages // traffic(cluster, dimension).messages))


def declared(servers: int, workers: int) -> Cluster:
    """As many Byzantine nodes as there can be, with the usual quorums 2f + 3."""
    f, f_workers = servers // 3 - 1, workers // 3 - 1
    return Cluster(
        servers,
        f,
        default_quorum(servers, f),
        workers,
        f_workers,
        default_quorum(workers, f_workers),
    )
