"""Servers that leave one after another, at any moment, stop at the same step."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_harness import cluster_of
from schedule_harness import Schedule, World

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import Fault
from guanyu_mpi.leaving import Hearing
from guanyu_mpi.messages import Message, Update
from guanyu_mpi.protocol.effects import Broadcast, Commit, Effect

CLUSTERS = [
    cluster_of(3, 0, 6, 1),
    cluster_of(6, 1, 6, 1),
    cluster_of(9, 2, 6, 1),
    Cluster(9, 1, 8, 9, 1, 7),
]
STEPS = 12
EVENTS_MAX = 400


@dataclass
class Ear:
    """Where a world hands a message over to a node."""

    world: World
    receiver: Node

    def deliver(self, sender: Node, message: Message) -> None:
        World.deliver(self.world, sender, self.receiver, message)

    def reject(self, sender: Node, fault: Fault) -> None: ...


class Departure(World):
    """A world in which every server leaves after so many events, and from then on hears less."""

    def __init__(
        self,
        cluster: Cluster,
        leaves_after: Mapping[Node, int],
        hears: Collection[type[Message]],
        silent: Collection[Node] = (),
        contract_every: int = 1,
    ) -> None:
        self._events = 0
        self._leaves_after = leaves_after
        self._hears = hears
        # The step at which each was told.
        self.told_at: dict[Node, int] = {}
        super().__init__(cluster, steps=STEPS, silent=silent, contract_every=contract_every)

    def deliver(self, sender: Node, receiver: Node, message: Message) -> None:
        self._events += 1
        leaves = receiver in self._leaves_after and self._events > self._leaves_after[receiver]
        ear = Ear(self, receiver)
        if leaves and receiver not in self.told_at:
            self.told_at[receiver] = self.cores[receiver].step
            self.cores[receiver].vote_no_more()
        (Hearing(ear, *self._hears) if leaves else ear).deliver(sender, message)

    def _perform(self, node: Node, effects: list[Effect]) -> None:
        super()._perform(node, effects)
        if node in self.told_at:
            said = [effect.message for effect in effects if isinstance(effect, Broadcast)]
            voted = {message.step for message in said if isinstance(message, Update)}
            # An adopted one is a vote for what others have voted for already.
            adopted = {effect.step - 1 for effect in effects if isinstance(effect, Commit)}
            assert voted <= adopted, f"{node} has left, and votes for {voted - adopted}"

    def agreed_steps(self) -> dict[Node, int]:
        """The last step of each server that followed from the others' updates: what it saves."""
        return {
            node: max((c.step for c in self.commits[node] if c.updates), default=0)
            for node in self.steps_of_servers()
        }

    def steps_of_servers(self) -> dict[Node, int]:
        return {node: core.step for node, core in self.honest.items() if node.role is Role.SERVER}


@st.composite
def departures(
    draw: st.DrawFn, hears: Collection[type[Message]] = (Update,), contract_every: int = 1
) -> tuple[Departure, Schedule]:
    cluster = draw(st.sampled_from(CLUSTERS))
    servers = cluster.nodes(Role.SERVER)
    silent = draw(st.sets(st.sampled_from(servers), max_size=cluster.byzantine_servers))
    first = draw(st.integers(0, EVENTS_MAX))
    spread = draw(st.sampled_from([0, 20, 100]))
    leaves_after = {node: first + draw(st.integers(0, spread)) for node in servers}
    links = st.tuples(st.sampled_from(servers), st.sampled_from(servers))
    held = draw(st.sets(links, max_size=6))
    schedule = Schedule((), draw(st.integers(0, 2**32)), held)
    return Departure(cluster, leaves_after, hears, silent, contract_every), schedule


@settings(max_examples=50, deadline=None)
@given(departures())
def test_all_servers_stop_at_the_same_step_and_none_before_where_it_was(
    departure: tuple[Departure, Schedule],
) -> None:
    world, schedule = departure
    world.run(schedule)
    steps = world.steps_of_servers()
    assert len(set(steps.values())) == 1, steps
    assert all(steps[node] >= step for node, step in world.told_at.items())


@settings(max_examples=50, deadline=None)
@given(departures(contract_every=3))
def test_all_servers_that_contract_seldom_agree_last_on_the_same_step(
    departure: tuple[Departure, Schedule],
) -> None:
    world, schedule = departure
    world.run(schedule)
    agreed = world.agreed_steps()
    assert len(set(agreed.values())) == 1, agreed
    assert all(step - agreed[node] < 3 for node, step in world.steps_of_servers().items())


def test_who_is_behind_leaves_without_a_vote_by_the_gradients_that_are_there_early() -> None:
    cluster = CLUSTERS[1]
    behind, *others = cluster.nodes(Role.SERVER)
    behind_by = []
    for events in range(100, 300, 10):
        world = Departure(cluster, dict.fromkeys((behind, *others), events), (Update,))
        # Without these it has one vote too few, and the others have enough.
        world.run(Schedule((), events, [(other, behind) for other in others[:2]]))
        steps = world.steps_of_servers()
        assert len(set(steps.values())) == 1, steps
        behind_by.append(max(world.told_at.values()) - world.told_at[behind])
    assert max(behind_by) > 1


def test_servers_that_hear_nothing_more_stop_apart() -> None:
    cluster = CLUSTERS[1]
    servers = cluster.nodes(Role.SERVER)
    apart = 0
    for events in range(100, 300, 10):
        world = Departure(cluster, dict.fromkeys(servers, events), ())
        world.run(Schedule((), events, ()))
        assert world.told_at
        apart += len(set(world.steps_of_servers().values())) > 1
    assert apart > 0
