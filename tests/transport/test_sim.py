"""Laws of the simulated network: what happens when, computed by hand from constant times.

Times are powers of two and their multiples, so that sums are exact.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import Fault
from guanyu_mpi.messages import Gradient, Message, Params
from guanyu_mpi.protocol.effects import Halt
from guanyu_mpi.transport.conditions import Conditions, Partition
from guanyu_mpi.transport.sim import SimNetwork
from guanyu_mpi.transport.wire import Decoder

CLUSTER = Cluster(3, 0, 3, 3, 0, 3)
SERVERS, WORKERS = CLUSTER.nodes(Role.SERVER), CLUSTER.nodes(Role.WORKER)
DELAY_S, PROCESS_S, COMPUTE_S = 1.0, 0.25, 4.0
STEPS = 100


class Actor:
    """A participant that does what a test tells it to, and writes down what comes when."""

    halt: Halt | None = None

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self.busy = False
        self.on_start: Callable[[], None] = lambda: None
        self.on_message: Callable[[], None] = lambda: None
        self.seen: list[tuple[float, int | Fault]] = []
        self.computed_s: list[float] = []
        self._clock_s = clock_s

    def start(self) -> None:
        self.on_start()

    def deliver(self, sender: Node, message: Message) -> None:
        del sender
        self.seen.append((self._clock_s(), message.step))
        self.on_message()

    def reject(self, sender: Node, fault: Fault) -> None:
        del sender
        self.seen.append((self._clock_s(), fault))

    def compute(self) -> None:
        self.busy = False
        self.computed_s.append(self._clock_s())


class Stage:
    """A network of actors under constant times, changed as a test wants."""

    def __init__(self, seed: int = 0, **conditions: object) -> None:
        times = {"delay": "constant", "delay_mean_s": DELAY_S, "process_s": PROCESS_S}
        self.network = SimNetwork(
            CLUSTER,
            Decoder(2, STEPS),
            Conditions(**{**times, "compute_s": COMPUTE_S, **conditions}),
            seed,
        )
        self.actors = {node: Actor(lambda: self.network.now_s) for node in CLUSTER}
        for node, actor in self.actors.items():
            self.network.join(node, actor)

    def says(self, sender: Node, receiver: Node, *steps: int, value: float = 0.0) -> None:
        """At time zero the sender has so many messages for the receiver."""
        kind = Params if sender.role is Role.SERVER else Gradient

        def send() -> None:
            for step in steps:
                message = kind(step, np.full(2, value, np.float32))
                self.network.send(sender, [receiver], message)

        self.actors[sender].on_start = send

    def run(self) -> "Stage":
        while self.network.step():
            pass
        return self


def test_a_message_takes_its_delay_and_the_time_to_process_it() -> None:
    stage = Stage()
    stage.says(SERVERS[0], WORKERS[0], 5)
    assert stage.run().actors[WORKERS[0]].seen == [(DELAY_S + PROCESS_S, 5)]


def test_messages_that_arrive_together_are_processed_one_after_another() -> None:
    stage = Stage()
    for index in range(3):
        stage.says(SERVERS[index], WORKERS[0], index)
    assert stage.run().actors[WORKERS[0]].seen == [(1.25, 0), (1.5, 1), (1.75, 2)]


def test_a_slow_node_takes_its_factor_longer_to_process() -> None:
    stage = Stage(slow={WORKERS[0]: 8.0})
    stage.says(SERVERS[0], WORKERS[0], 5)
    stage.says(SERVERS[1], WORKERS[1], 5)
    stage.run()
    assert stage.actors[WORKERS[0]].seen == [(DELAY_S + 8 * PROCESS_S, 5)]
    assert stage.actors[WORKERS[1]].seen == [(DELAY_S + PROCESS_S, 5)]


def test_a_slow_node_takes_its_factor_longer_to_compute() -> None:
    stage = Stage(slow={WORKERS[0]: 8.0})
    for worker in WORKERS[:2]:
        stage.actors[worker].busy = True
    stage.run()
    assert stage.actors[WORKERS[0]].computed_s == [8 * COMPUTE_S]
    assert stage.actors[WORKERS[1]].computed_s == [COMPUTE_S]


def test_what_arrives_while_a_node_computes_is_processed_afterwards() -> None:
    stage = Stage()
    stage.actors[WORKERS[0]].busy = True
    stage.says(SERVERS[0], WORKERS[0], 5)
    assert stage.run().actors[WORKERS[0]].seen == [(COMPUTE_S + PROCESS_S, 5)]


def test_a_node_computes_once_for_each_time_it_is_asked() -> None:
    stage = Stage()
    worker = stage.actors[WORKERS[0]]
    worker.on_message = lambda: setattr(worker, "busy", True)
    stage.says(SERVERS[0], WORKERS[0], 1)
    stage.says(SERVERS[1], WORKERS[0], 2)
    stage.run()
    # Asked at 1.25; the message at 1.5 was due before the work, and asks for nothing more.
    assert worker.computed_s == [1.25 + 0.25 + COMPUTE_S]


def test_one_message_is_in_flight_and_of_those_behind_it_only_the_newest_follows() -> None:
    stage = Stage()
    stage.says(SERVERS[0], WORKERS[0], 1, 2, 3, 4)
    trip_s = DELAY_S + PROCESS_S
    assert stage.run().actors[WORKERS[0]].seen == [(trip_s, 1), (2 * trip_s, 4)]


def test_a_message_is_in_flight_until_it_has_been_processed() -> None:
    stage = Stage(slow={WORKERS[0]: 8.0})
    stage.says(SERVERS[0], WORKERS[0], 1, 2)
    trip_s = DELAY_S + 8 * PROCESS_S
    assert stage.run().actors[WORKERS[0]].seen == [(trip_s, 1), (2 * trip_s, 2)]


def test_links_do_not_wait_for_each_other() -> None:
    stage = Stage(slow={WORKERS[0]: 8.0})

    def send() -> None:
        for step in (1, 2):
            stage.network.send(SERVERS[0], WORKERS[:2], Params(step, np.zeros(2, np.float32)))

    stage.actors[SERVERS[0]].on_start = send
    stage.run()
    assert stage.actors[WORKERS[1]].seen == [(1.25, 1), (2.5, 2)]


def test_a_link_can_have_a_delay_of_its_own() -> None:
    stage = Stage(links={(SERVERS[0], WORKERS[0]): 3.0})
    stage.says(SERVERS[0], WORKERS[0], 1)
    stage.says(SERVERS[1], WORKERS[0], 2)
    assert stage.run().actors[WORKERS[0]].seen == [(1.25, 2), (3.25, 1)]


def test_a_partition_holds_a_message_back_until_it_heals() -> None:
    stage = Stage(partitions=(Partition(frozenset({WORKERS[0]}), 0.5, 16.0),))
    stage.says(SERVERS[0], WORKERS[0], 1, 2)
    stage.says(SERVERS[1], WORKERS[1], 3)
    stage.run()
    assert stage.actors[WORKERS[0]].seen == [(17.25, 1), (18.5, 2)]
    assert stage.actors[WORKERS[1]].seen == [(1.25, 3)]


def test_a_bad_frame_is_rejected_and_the_next_one_comes() -> None:
    stage = Stage()
    stage.says(SERVERS[0], WORKERS[0], STEPS + 1, 7)
    seen = stage.run().actors[WORKERS[0]].seen
    assert seen == [(1.25, Fault.STEP), (2.5, 7)]


def test_a_vector_that_is_not_finite_is_rejected() -> None:
    stage = Stage()
    stage.says(WORKERS[0], SERVERS[0], 1, value=np.nan)
    assert stage.run().actors[SERVERS[0]].seen == [(1.25, Fault.NON_FINITE)]


def test_a_message_to_a_node_that_has_not_joined_is_dropped() -> None:
    network = SimNetwork(CLUSTER, Decoder(2, STEPS), Conditions(), 0)
    network.send(SERVERS[0], [WORKERS[0]], Params(0, np.zeros(2, np.float32)))
    assert not network.step()


def test_everyone_starts_before_the_first_message_arrives() -> None:
    stage = Stage(delay_mean_s=0.0, process_s=0.0)
    started: list[Node] = []
    for node in CLUSTER:
        stage.actors[node].on_start = partial(started.append, node)
    stage.says(SERVERS[0], WORKERS[0], 1)
    stage.actors[WORKERS[0]].on_message = lambda: started.append(WORKERS[0])
    stage.run()
    assert len(started) == CLUSTER.num_ranks
    assert started[-1] == WORKERS[0]


def chatter(seed: int, value: float = 0.0) -> SimNetwork:
    """Everyone says something to everyone it may, under random delays."""
    stage = Stage(seed, delay="exponential")
    for worker in WORKERS:
        stage.says(worker, SERVERS[0], 1, 2, value=value)
    for server in SERVERS:
        stage.says(server, WORKERS[0], 1, 2, value=value)
    return stage.run().network


def test_the_same_seed_gives_the_same_trace() -> None:
    one, other = chatter(7), chatter(7)
    assert one.trace_hash == other.trace_hash
    assert (one.now_s, one.num_events) == (other.now_s, other.num_events)


def test_another_seed_gives_another_trace() -> None:
    assert len({chatter(seed).trace_hash for seed in range(20)}) == 20


def test_what_is_said_is_part_of_the_trace() -> None:
    assert chatter(7).trace_hash != chatter(7, value=1.0).trace_hash


@pytest.mark.parametrize("seed", range(5))
def test_time_never_goes_back(seed: int) -> None:
    stage = Stage(seed, delay="pareto")
    for server in SERVERS:
        stage.says(server, WORKERS[0], *range(9))
    before_s = 0.0
    while stage.network.step():
        assert stage.network.now_s >= before_s
        before_s = stage.network.now_s
