"""Laws of the simulated network's conditions: delays, links of their own, partitions, slowness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi import seeds
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.transport.conditions import DELAYS, Conditions, Partition

ONE, OTHER, THIRD = (Node(Role.SERVER, index) for index in range(3))
CUT = Partition(frozenset({ONE}), start_s=10.0, end_s=20.0)


def arrival(conditions: Conditions, now_s: float, receiver: Node = OTHER) -> float:
    return conditions.arrival_s(ONE, receiver, now_s, seeds.stream(0))


def constant(**changes: object) -> Conditions:
    return Conditions(delay="constant", delay_mean_s=1.0, **changes)


def test_a_constant_delay_is_the_mean() -> None:
    assert arrival(constant(), 5.0) == 6.0


@pytest.mark.parametrize("name", sorted(DELAYS))
def test_delays_have_the_mean_that_is_asked_for(name: str) -> None:
    random = seeds.stream(1, name)
    delays = np.array([DELAYS[name](2.0, random) for _ in range(100_000)])
    # The tail of the Pareto delay is so heavy that its mean converges slowly: a tenth of it.
    assert delays.mean() == pytest.approx(2.0, rel=0.1)
    assert delays.min() >= 0.0


def test_pareto_delays_have_by_far_the_heaviest_tail() -> None:
    longest = {}
    for name in DELAYS:
        random = seeds.stream(1, name)
        longest[name] = max(DELAYS[name](1.0, random) for _ in range(10_000))
    assert longest["constant"] < longest["uniform"] < longest["exponential"]
    assert longest["pareto"] > 10 * longest["exponential"]


@pytest.mark.parametrize("name", sorted(DELAYS))
def test_the_same_stream_gives_the_same_delays(name: str) -> None:
    one, other = (seeds.stream(3, "network") for _ in range(2))
    assert [DELAYS[name](1.0, one) for _ in range(9)] == [
        DELAYS[name](1.0, other) for _ in range(9)
    ]


def test_a_link_can_have_a_delay_of_its_own_in_one_direction() -> None:
    conditions = constant(links={(ONE, OTHER): 7.0})
    random = seeds.stream(0)
    assert conditions.arrival_s(ONE, OTHER, 0.0, random) == 7.0
    assert conditions.arrival_s(OTHER, ONE, 0.0, random) == 1.0
    assert conditions.arrival_s(ONE, THIRD, 0.0, random) == 1.0


def test_a_partition_separates_its_nodes_from_all_others_only() -> None:
    cut = Partition(frozenset({ONE, OTHER}), 0.0, 1.0)
    assert cut.separates(ONE, THIRD)
    assert cut.separates(THIRD, ONE)
    assert not cut.separates(ONE, OTHER)
    assert not cut.separates(THIRD, Node(Role.WORKER, 0))


@pytest.mark.parametrize(
    ("now_s", "arrival_s"),
    [(8.0, 9.0), (9.0, 21.0), (9.5, 21.0), (10.0, 21.0), (19.9, 21.0), (20.0, 21.0), (21.0, 22.0)],
    ids=["before", "meets start", "on its way", "at start", "inside", "at end", "after"],
)
def test_a_message_that_meets_a_partition_waits_until_it_heals(
    now_s: float, arrival_s: float
) -> None:
    assert arrival(constant(partitions=(CUT,)), now_s) == arrival_s


def test_a_partition_leaves_links_within_a_side_alone() -> None:
    cut = Partition(frozenset({ONE, THIRD}), 10.0, 20.0)
    assert arrival(constant(partitions=(cut,)), 15.0, THIRD) == 16.0
    assert arrival(constant(partitions=(cut,)), 15.0, OTHER) == 21.0


def test_a_message_meets_one_partition_after_another_in_whatever_order_they_are_listed() -> None:
    second = Partition(frozenset({OTHER}), 20.5, 30.0)
    for partitions in ((CUT, second), (second, CUT)):
        assert arrival(constant(partitions=partitions), 15.0) == 31.0


def test_a_partition_does_not_shorten_a_delay_that_is_longer() -> None:
    conditions = Conditions(delay="constant", delay_mean_s=50.0, partitions=(CUT,))
    assert arrival(conditions, 5.0) >= 55.0


@settings(deadline=None)
@given(now_s=st.floats(0.0, 40.0), seed=st.integers(0, 99), delay=st.sampled_from(sorted(DELAYS)))
def test_nothing_arrives_across_a_partition_while_it_lasts(
    now_s: float, seed: int, delay: str
) -> None:
    conditions = Conditions(delay=delay, delay_mean_s=3.0, partitions=(CUT,))
    arrival_s = conditions.arrival_s(ONE, OTHER, now_s, seeds.stream(seed))
    assert arrival_s >= now_s
    assert not CUT.start_s <= arrival_s < CUT.end_s


def test_only_nodes_that_are_called_slow_are_slow() -> None:
    conditions = constant(slow={ONE: 50.0})
    assert conditions.slowness(ONE) == 50.0
    assert conditions.slowness(OTHER) == 1.0
