"""What is run and compared: the workloads, who is struck when, and the three runs of a round.

All three measure the same steps, with quorums of the same size and the same rule: the whole
cluster of which all are well, the whole cluster of which some are struck, and those alone who are
left of it.
"""

from dataclasses import dataclass
from random import Random

Fault = dict[str, object]
Config = dict[str, dict[str, object]]

SERVERS, BYZANTINE_SERVERS = 6, 1
# Steps told in the logs, and between the last strike and the first step that is measured.
TOLD_EVERY = 5
SETTLING = 10


@dataclass(frozen=True, slots=True)
class Workload:
    """A problem, its workers, the steps within which the strikes fall, and those measured then.

    Where gradients wait, each takes this time and no work.
    """

    name: str
    problem: Config
    workers: int
    byzantine_workers: int
    striking: int
    measured: int
    waiting_ms: float = 0.0

    @property
    def start(self) -> int:
        """The first step that is measured."""
        return self.striking + SETTLING

    @property
    def end(self) -> int:
        """The last step that is measured."""
        return self.start + self.measured

    @property
    def steps(self) -> int:
        """Steps of the run: a few more, so that nobody leaves while they are measured."""
        return self.end + self.measured // 4


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: its configuration, who is killed and who is stopped in it."""

    config: Config
    killed: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()


def quadratic(dimension: int) -> Config:
    """A problem without torch or data."""
    return {
        "model": {"name": "quadratic", "options": {"dimension": dimension}},
        "train": {"learning_rate": 0.1},
    }


DIGITS: Config = {
    "model": {"name": "mlp", "options": {}},
    "data": {"name": "mnist-small"},
    "train": {"learning_rate": 0.1, "batch_size": 32},
}

WORKLOADS = (
    Workload("quadratic, d = 1,750,000, 6 + 6", quadratic(1_750_000), 6, 1, 20, 40),
    Workload("quadratic, d = 100,000, 6 + 18", quadratic(100_000), 18, 5, 40, 150),
    Workload("mlp on mnist-small, 6 + 6", DIGITS, 6, 1, 100, 300),
    Workload("gradients that wait 0.1 s, 6 + 18", quadratic(1_000), 18, 5, 30, 100, 100.0),
)


def fault_free(workload: Workload) -> Plan:
    """Nothing happens to anybody."""
    return Plan(_config(workload, []))


def struck(workload: Workload, rng: Random) -> Plan:
    """f servers are killed and f' workers stopped, each at a random step."""
    killed = _chosen(rng, "server", SERVERS, BYZANTINE_SERVERS)
    stopped = _chosen(rng, "worker", workload.workers, workload.byzantine_workers)
    faults = [_fault(node, rng.randint(1, workload.striking), "crash") for node in killed]
    faults += [_fault(node, rng.randint(1, workload.striking), "hang") for node in stopped]
    return Plan(_config(workload, faults), killed, stopped)


def left_alone(workload: Workload) -> Plan:
    """As many as a struck run has left, and nobody else: a smaller cluster, where all are well."""
    return Plan(_config(workload, [], lost=True))


def _config(workload: Workload, faults: list[Fault], *, lost: bool = False) -> Config:
    """The whole cluster, or without those who may be Byzantine; with the same quorums."""
    f, f_workers = BYZANTINE_SERVERS, workload.byzantine_workers
    quorum, worker_quorum = SERVERS - f, workload.workers - f_workers
    workers = worker_quorum if lost else workload.workers
    return {
        **workload.problem,
        "run": {"name": "losses", "steps": workload.steps, "seed": 3},
        "cluster": {
            "servers": quorum if lost else SERVERS,
            "byzantine_servers": 0 if lost else f,
            "server_quorum": quorum,
            "workers": workers,
            "byzantine_workers": 0 if lost else f_workers,
            "worker_quorum": worker_quorum,
        },
        # As many gradients are averaged whatever f' is.
        "aggregation": {
            "gradients": "multi-krum",
            "gradients_options": {"m": worker_quorum - f_workers - 2},
        },
        "checkpoint": {"every": workload.steps},
        "observe": {"every": TOLD_EVERY},
        "faults": {"inject": faults + _waits(workload, workers)},
    }


def _waits(workload: Workload, workers: int) -> list[Fault]:
    """Delays that make every worker's gradient take its time."""
    if not workload.waiting_ms:
        return []
    delay = {"delay_ms": workload.waiting_ms}
    return [{**_fault(f"worker-{index}", 0, "delay"), **delay} for index in range(workers)]


def _chosen(rng: Random, role: str, nodes: int, count: int) -> tuple[str, ...]:
    return tuple(f"{role}-{index}" for index in sorted(rng.sample(range(nodes), count)))


def _fault(node: str, step: int, kind: str) -> Fault:
    return {"node": node, "step": step, "kind": kind}
