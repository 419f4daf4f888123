"""What a step costs: against numbers worked out by hand, and against what is counted in runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import pytest

from guanyu_mpi.aggregation import RULES, bind
from guanyu_mpi.aggregation.kernels import NumpyKernels, ranks
from guanyu_mpi.attackers import Attackers
from guanyu_mpi.cluster import OBSERVER, Cluster, Node, Role
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.costs import (
    Flow,
    Memory,
    Traffic,
    average,
    flow,
    memory,
    observed,
    rule_operations,
    traffic,
)
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.simulation import Simulated, simulate
from guanyu_mpi.transport.wire import HEADER, Element, encode

# The deployment of the paper: 6 servers (f = 1), 18 workers (f' = 5), a CNN for CIFAR-10.
PAPER = Cluster(6, 1, 5, 18, 5, 13)
DIMENSION = 1_756_426
MESSAGE = 4 * DIMENSION + 32

STEPS, EVERY, NUMBERS = 6, 4, 20
LOCKSTEP: Mapping[str, Mapping[str, object]] = {
    "run": {"name": "counted", "steps": STEPS, "seed": 3},
    "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 7, "byzantine_workers": 1},
    "model": {"name": "quadratic", "options": {"dimension": NUMBERS}},
    "train": {"learning_rate": 0.2},
    "observe": {"every": EVERY},
    # All are equally fast, so that nothing is replaced.
    "simulation": {"delay": "constant"},
}


class Count:
    """A run in which all that is sent is counted: messages and bytes by step."""

    def __init__(self, **changes: Mapping[str, object]) -> None:
        self.config: Config = parse_config({**LOCKSTEP, **changes})
        self.messages: Counter[int] = Counter()
        self.size_bytes: Counter[int] = Counter()
        self.sent: Counter[tuple[int, Node]] = Counter()
        self.received: Counter[tuple[int, Node]] = Counter()
        self.run: Simulated = simulate(self.config, on_send=self._count)

    def traffic(self, step: int) -> Traffic:
        return Traffic(self.messages[step], self.size_bytes[step])

    def flow(self, step: int, node: Node) -> Flow:
        return Flow(self.sent[step, node], self.received[step, node])

    def _count(self, sender: Node, receivers: Sequence[Node], message: Message) -> None:
        self.messages[message.step] += len(receivers)
        self.size_bytes[message.step] += len(receivers) * encode(message).size
        self.sent[message.step, sender] += len(receivers)
        self.received.update((message.step, receiver) for receiver in receivers)


def together(*parts: Traffic) -> Traffic:
    return Traffic(sum(part.messages for part in parts), sum(part.size_bytes for part in parts))


def test_what_a_simulated_run_sends_is_what_the_model_says() -> None:
    count = Count()
    cluster = count.config.nodes
    usual, seen = traffic(cluster, NUMBERS), observed(cluster, NUMBERS)
    assert not count.run.replaced
    assert not count.run.unfinished(count.config)
    for step in range(STEPS):
        parts = [usual] if step % EVERY else [usual, seen]
        assert count.traffic(step) == together(*parts), step
    # Parameters of the last step, of which nothing follows, to workers and observer.
    assert count.messages[STEPS] == cluster.servers * (cluster.workers + 1)
    assert count.messages.total() == sum(count.messages[step] for step in range(STEPS + 1))


def test_each_node_of_a_simulated_run_sends_and_receives_what_the_model_says() -> None:
    count = Count()
    cluster = count.config.nodes
    for step in (1, 2, 3):
        for role in (Role.SERVER, Role.WORKER):
            for node in cluster.nodes(role):
                assert count.flow(step, node) == flow(cluster, role), (step, node)
    params_and_reports = 2 * cluster.servers
    assert count.flow(EVERY, OBSERVER) == Flow(0, params_and_reports)
    assert flow(cluster, Role.OBSERVER) == Flow(0, cluster.servers)


def test_servers_that_contract_seldom_send_what_the_model_says() -> None:
    count = Count(train={"learning_rate": 0.2, "contract_every": 3}, checkpoint={"every": 3})
    cluster = count.config.nodes
    for step in (1, 2, 3, 5):
        contracting = step % 3 == 2
        assert count.traffic(step) == traffic(cluster, NUMBERS, contracting=contracting), step
        for role in (Role.SERVER, Role.WORKER):
            for node in cluster.nodes(role):
                assert count.flow(step, node) == flow(cluster, role, contracting=contracting)
    # As told by `guanyu check`: of steps 1, 2 and 3 one has n (n - 1) = 30 messages more.
    three = sum(count.messages[step] for step in (1, 2, 3))
    always, never = (traffic(cluster, NUMBERS, contracting=it).messages for it in (True, False))
    assert average(always, never, 3) == three / 3


def test_one_trusted_server_sends_what_the_model_says() -> None:
    count = Count(cluster={"servers": 1, "workers": 7, "byzantine_workers": 1})
    assert count.traffic(1) == traffic(count.config.nodes, NUMBERS) == Traffic(14, 14 * 112)


def test_spies_are_told_what_the_model_says() -> None:
    attack = {"name": "ipm", "count": 1}
    count = Count(attack={"workers": attack, "servers": attack})
    assert len(Attackers(count.config).spies) == 2
    # 5 honest servers tell one spy their Params, and 6 honest workers another their Gradient.
    assert count.traffic(1) == traffic(count.config.nodes, NUMBERS, overheard=5 + 6)


# Fewer than fit into one block, and another number than there are vectors.
COORDINATES = 64
# What counts as an operation on a coordinate; looking for infinities does not.
OPERATIONS = {
    *(np.add, np.subtract, np.multiply, np.divide, np.minimum, np.maximum),
    *(np.less, np.less_equal, np.greater, np.bitwise_and),
}


class Counted(np.ndarray):
    """A vector (COORDINATES,) whose operations are counted, and those of what is made of it."""

    operations: ClassVar[Counter[object]] = Counter()

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        into = {"out": tuple(plain(out))} if out else {}
        result = np.asarray(getattr(ufunc, method)(*plain(inputs), **into, **options))
        self.operations[ufunc] += ufunc in OPERATIONS and result.shape == (COORDINATES,)
        return out[0] if out else result.view(Counted)

    def __array_function__(self, function, types, arguments, options):
        result = super().__array_function__(function, types, arguments, options)
        self.operations[function] += function is np.where and result.shape == (COORDINATES,)
        return result


class CountingKernels(NumpyKernels):
    """Counts operations per coordinate of inner products and weighted sums as well.

    Others they leave to the vectors: they are done block by block, in another shape.
    """

    def __init__(self) -> None:
        self.operations = 0

    def dots(self, few: Sequence[Vector], rows: Sequence[Vector]) -> np.ndarray:
        self.operations += 2 * len(few) * len(rows)
        return super().dots(plain(few), plain(rows))

    def products(self, rows: Sequence[Vector]) -> np.ndarray:
        self.operations += len(rows) * (len(rows) + 1)
        return super().products(plain(rows))

    def combine(self, rows: Sequence[Vector], weights: np.ndarray, divisor: int = 1) -> Vector:
        # A weight of one, as in an average, is no operation.
        used = weights[weights != 0]
        self.operations += used.size + np.count_nonzero(used != 1)
        return super().combine(plain(rows), weights, divisor).view(Counted)


def plain(rows: Sequence[object]) -> list[np.ndarray]:
    return [np.asarray(row) for row in rows]


def counted(name: str, n: int, f: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Operations per coordinate that a rule has taken."""
    empty = np.empty
    monkeypatch.setattr(
        ranks.np, "empty", lambda *shape, **kind: empty(*shape, **kind).view(Counted)
    )
    Counted.operations.clear()
    kernels = CountingKernels()
    gathering = bind(name, n=n, f=f, kernels=kernels).gather()
    drawn = np.random.default_rng(0).standard_normal((n, COORDINATES), np.float32)
    vectors = list(drawn.view(Counted))
    for vector in vectors:
        gathering.add(vector)
    gathering.combine(vectors)
    return kernels.operations + Counted.operations.total()


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_takes_no_more_operations_than_the_model_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, f = (11, 2) if name == "bulyan" else (9, 2)
    found, told = counted(name, n, f, monkeypatch), rule_operations(name, n, f)
    assert found <= told
    assert found > 0.8 * told


def test_a_rule_that_nobody_knows_takes_nobody_knows_how_many() -> None:
    assert rule_operations("lunch", 9, 2) is None


def test_the_median_of_three_takes_four_minima_and_maxima() -> None:
    """max(min(a, b), min(max(a, b), c)): each of the two comparators writes what is read."""
    assert rule_operations("median", 3, 1) == 4


def test_a_header_has_32_bytes() -> None:
    """On which the numbers below rest."""
    assert HEADER.size == 32


def test_traffic_is_that_of_the_paper() -> None:
    """n n' + n' n + n (n - 1) = 108 + 108 + 30 messages of 6.70 MiB, 1.61 GiB."""
    assert traffic(PAPER, DIMENSION) == Traffic(246, 246 * MESSAGE)


def test_narrowed_vectors_take_half_the_bytes_but_between_servers() -> None:
    narrow = 2 * DIMENSION + 32
    assert traffic(PAPER, DIMENSION, Element.BFLOAT16) == Traffic(246, 216 * narrow + 30 * MESSAGE)


def test_one_trusted_server_sends_no_updates() -> None:
    assert traffic(Cluster(1, 0, 1, 18, 5, 13), 10) == Traffic(36, 36 * 72)


def test_memory_is_bounded_by_who_sends_and_who_receives() -> None:
    """Vectors of a server: 23 senders x (2 votes + 1 arriving) + 2 own votes
    + 24 receivers x (1 in flight + 1 pending) + 5 and 13 votes that were replaced while a quorum
    was prepared + 3 middle values + 13 mixtures + 3 + 2 to be saved = 158;
    of a worker: 6 x 3 + 6 x 2 + 5 + 3 + 3 = 41; of the observer: 6 x 3 + 2 x 5 + 1 = 29.
    """
    assert memory(PAPER, DIMENSION) == Memory(158 * MESSAGE, 41 * MESSAGE, 29 * MESSAGE)


def test_memory_of_a_server_grows_with_the_quorums() -> None:
    few, many = Cluster(30, 1, 5, 6, 1, 5), Cluster(30, 1, 29, 6, 1, 5)
    assert memory(many, 10).server_bytes - memory(few, 10).server_bytes == 24 * 72
