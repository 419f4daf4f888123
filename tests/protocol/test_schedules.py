"""Laws of a whole cluster under arbitrary schedules of delivery; World checks after every event.

Safety is tested with attackers that say anything to anyone. Liveness is tested with attackers
that say nothing, and with attackers that lie but take part like everyone else.
"""

from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_harness import cluster_of, server
from schedule_harness import Link, Schedule, World

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.messages import Gradient, Message, Params, Update, Vector

CLUSTERS = st.sampled_from(
    [
        cluster_of(6, 1, 6, 1),
        cluster_of(7, 1, 8, 1),
        cluster_of(9, 2, 6, 1),
        cluster_of(3, 0, 6, 1),
        Cluster(9, 1, 8, 9, 1, 7),
    ]
)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VECTORS = st.lists(FLOATS, min_size=2, max_size=2).map(lambda row: np.array(row, np.float32))
RUNS = settings(max_examples=60, deadline=None)
# Servers exchange updates at every step, or at every so-manieth.
seldom = pytest.mark.parametrize("every", [1, 3])


def attackers(cluster: Cluster) -> frozenset[Node]:
    """As many of the highest indices as may be Byzantine."""
    return frozenset(
        node
        for role in (Role.SERVER, Role.WORKER)
        for node in cluster.nodes(role)[len(cluster.nodes(role)) - cluster.byzantine(role) :]
    )


@st.composite
def schedules(draw: st.DrawFn, cluster: Cluster) -> Schedule:
    """Any choices at first, then a seed's; links of some nodes are held back to the last."""
    nodes = [*cluster.nodes(Role.SERVER), *cluster.nodes(Role.WORKER)]
    starved = draw(st.sets(st.sampled_from(nodes), max_size=2))
    links = draw(st.sets(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)), max_size=12))
    into = {(sender, receiver) for sender in nodes for receiver in starved}
    prefix = draw(st.lists(st.integers(0, 999), max_size=40))
    return Schedule(tuple(prefix), draw(st.integers(0, 2**32)), links | into)


@dataclass
class Babble:
    """Attackers that now and then say anything finite to anyone, twice, and differently."""

    world: World
    attackers: frozenset[Node]
    vectors: list[Vector]
    random: Random
    share: float

    def __call__(self) -> None:
        while self.attackers and self.random.random() < self.share:
            sender = self.random.choice(sorted(self.attackers))
            receiver = self.random.choice(sorted(self.world.honest))
            kind = kind_of(sender, receiver)
            if kind is None:
                continue
            for _ in range(self.random.choice((1, 1, 2))):
                step = self._step(receiver, self.world.steps - (kind is not Params))
                # The wire lets no other through.
                step = self.world.contractions.next(step) if kind is Update else step
                vector = self.random.choice(self.vectors)
                self.world.deliver(sender, receiver, kind(step, vector))

    def _step(self, receiver: Node, last: int) -> int:
        near = self.world.honest[receiver].step + self.random.randint(-1, 2)
        return min(max(self.random.choice((near, near, near, last)), 0), last)


def kind_of(sender: Node, receiver: Node) -> type[Message] | None:
    """What the wire lets a node of this role say to that one."""
    kinds = {
        (Role.SERVER, Role.WORKER): Params,
        (Role.WORKER, Role.SERVER): Gradient,
        (Role.SERVER, Role.SERVER): Update,
    }
    return kinds.get((sender.role, receiver.role))


@seldom
@RUNS
@given(data=st.data(), cluster=CLUSTERS, share=st.sampled_from((0.05, 0.3, 0.6)))
def test_no_schedule_and_no_finite_lie_breaks_an_honest_node(
    data: st.DataObject, cluster: Cluster, share: float, every: int
) -> None:
    hostile = attackers(cluster)
    world = World(cluster, steps=4, silent=hostile, contract_every=every)
    schedule = data.draw(schedules(cluster), label="schedule")
    vectors = data.draw(st.lists(VECTORS, min_size=1, max_size=5), label="lies")
    random = Random(data.draw(st.integers(0, 2**32), label="seed of the attackers"))
    world.run(schedule, meanwhile=Babble(world, hostile, vectors, random, share))


@seldom
@RUNS
@given(data=st.data(), cluster=CLUSTERS)
def test_all_honest_nodes_finish_while_the_attackers_are_silent(
    data: st.DataObject, cluster: Cluster, every: int
) -> None:
    world = World(cluster, steps=4, silent=attackers(cluster), contract_every=every)
    world.run(data.draw(schedules(cluster), label="schedule"))
    assert world.unfinished() == {}


@seldom
@RUNS
@given(data=st.data(), cluster=CLUSTERS, scale=st.sampled_from((-100.0, -1.0, 0.9, 1e6)))
def test_all_honest_nodes_finish_while_the_attackers_take_part_and_lie(
    data: st.DataObject, cluster: Cluster, scale: float, every: int
) -> None:
    def lie(vector: Vector, sender: Node, receiver: Node) -> Vector:
        return vector * np.float32(scale) + np.float32(receiver.index - sender.index)

    world = World(cluster, steps=4, liars=attackers(cluster), lie=lie, contract_every=every)
    world.run(data.draw(schedules(cluster), label="schedule"))
    assert world.unfinished() == {}


@seldom
@RUNS
@given(data=st.data(), share=st.sampled_from((1, 2, 3)))
def test_all_honest_nodes_finish_after_any_of_them_were_cut_off_for_a_while(
    data: st.DataObject, share: int, every: int
) -> None:
    cluster = cluster_of(7, 1, 7, 1)
    world = World(cluster, steps=5, silent=attackers(cluster), contract_every=every)
    cut = set(data.draw(st.permutations(sorted(world.honest)), label="cut")[:share])
    held = frozenset(link for link in _links(world) if (link[0] in cut) != (link[1] in cut))
    schedule = data.draw(schedules(cluster), label="schedule")
    # Nothing passes between the two sides until neither can do anything alone.
    split = Schedule((), schedule.seed, held)
    world.run(split, until=lambda: all(link in held for link in world.pending()))
    world.run(schedule)
    assert world.unfinished() == {}


def _links(world: World) -> list[Link]:
    return [(one, other) for one in world.honest for other in world.honest]


@RUNS
@given(data=st.data())
def test_without_byzantine_nodes_every_schedule_gives_the_same_parameters(
    data: st.DataObject,
) -> None:
    cluster = cluster_of(servers=4, f=0, workers=5, f_workers=0)
    final = []
    for schedule in (Schedule((), 0, ()), data.draw(schedules(cluster), label="schedule")):
        world = World(cluster, steps=4)
        world.run(schedule)
        assert world.unfinished() == {}
        servers = cluster.nodes(Role.SERVER)
        final += [world.commits[node][-1].params.tobytes() for node in servers]
    assert len(set(final)) == 1


@RUNS
@given(data=st.data())
def test_a_quorum_below_everyone_still_ends_near_the_optimum(data: st.DataObject) -> None:
    cluster = cluster_of(6, 1, 6, 1)
    world = World(cluster, steps=12, silent=attackers(cluster))
    world.run(data.draw(schedules(cluster), label="schedule"))
    for node in cluster.nodes(Role.SERVER)[:5]:
        np.testing.assert_allclose(world.commits[node][-1].params, [-3.0, 5.0], atol=0.25)


def test_all_honest_nodes_finish_after_an_attacker_has_voted_at_one_server_only() -> None:
    cluster = cluster_of(6, 1, 6, 1)
    world = World(cluster, steps=6, silent=attackers(cluster))
    gradients = frozenset((node, server(0)) for node in cluster.nodes(Role.WORKER))
    world.run(Schedule((), 0, gradients), until=lambda: gradients.issuperset(world.pending()))
    # The fifth vote: server 0 adopts before its gradients have come, and goes on alone.
    world.deliver(server(5), server(0), Update(0, np.zeros(2, np.float32)))
    world.run(Schedule((), 0, ()))
    assert world.unfinished() == {}


def test_all_honest_nodes_finish_after_one_dies_while_another_is_behind() -> None:
    cluster = cluster_of(6, 1, 6, 1)
    world = World(cluster, steps=6)
    ahead = [world.honest[node] for node in cluster.nodes(Role.SERVER)[1:]]
    into_the_slow_one = frozenset((node, server(0)) for node in cluster)
    world.run(
        Schedule((), 0, into_the_slow_one), until=lambda: all(core.step >= 3 for core in ahead)
    )
    world.silence(server(5))
    world.run(Schedule((), 0, ()))
    assert world.unfinished() == {}


@seldom
@pytest.mark.parametrize(("size", "f", "seeds"), [(6, 1, 60), (9, 2, 30), (12, 3, 15)])
def test_all_honest_nodes_finish_once_the_attackers_have_fallen_silent(
    size: int, f: int, seeds: int, every: int
) -> None:
    cluster = cluster_of(size, f, size, f)
    left = {seed: _left_after_attackers_die(cluster, seed, every) for seed in range(seeds)}
    assert {seed: nodes for seed, nodes in left.items() if nodes} == {}


def _left_after_attackers_die(cluster: Cluster, seed: int, every: int) -> dict[str, int]:
    """Attackers take part, to some receivers only, and die; some honest servers are slow."""
    random, hostile = Random(seed), attackers(cluster)
    world = World(
        cluster, steps=6, liars=hostile, lie=lambda vector, *_: vector, contract_every=every
    )
    honest = [node for node in cluster.nodes(Role.SERVER) if node not in hostile]
    slow = random.sample(honest, random.randint(1, cluster.byzantine_servers + 1))
    held = {(node, receiver) for node in cluster for receiver in slow if random.random() < 0.8}
    held |= {(node, peer) for node in hostile for peer in cluster if random.random() < 0.4}
    events = iter(range(random.randint(20, 40 * cluster.servers)))
    world.run(Schedule((), seed, held), until=lambda: next(events, None) is None)
    for node in hostile:
        world.silence(node)
    world.run(Schedule((), seed, ()))
    return world.unfinished()
