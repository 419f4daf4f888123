"""Laws of the inbox: who counts, who does not, and how much is kept."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.aggregation import bind
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.protocol.quorum import STEPS_KEPT, Inbox, Quorum


def worker(index: int) -> Node:
    return Node(Role.WORKER, index)


def vector(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def inbox_of(quorum: int, first_step: int) -> Inbox:
    return Inbox(quorum, first_step, bind("average", n=quorum, f=0))


def rows(quorum: Quorum) -> list[list[float]]:
    return [vector.tolist() for vector in quorum.vectors]


def test_a_quorum_is_reached_by_distinct_senders_only() -> None:
    inbox = inbox_of(2, first_step=0)
    inbox.offer(worker(0), 0, vector(1))
    inbox.offer(worker(0), 0, vector(2))
    assert not inbox.reached(0)
    inbox.offer(worker(1), 0, vector(3))
    assert inbox.reached(0)


def test_the_first_vote_of_a_sender_counts_and_the_second_does_not() -> None:
    inbox = inbox_of(1, first_step=0)
    inbox.offer(worker(0), 0, vector(1))
    inbox.offer(worker(0), 0, vector(2))
    assert rows(inbox.consume(0)) == [[1.0]]


def test_rows_are_in_sender_order_whatever_the_order_of_arrival() -> None:
    inbox = inbox_of(3, first_step=0)
    for index in (2, 0, 1):
        inbox.offer(worker(index), 0, vector(index))
    quorum = inbox.consume(0)
    assert quorum.senders == (worker(0), worker(1), worker(2))
    assert rows(quorum) == [[0.0], [1.0], [2.0]]


def test_arrival_decides_who_is_among_the_first_q() -> None:
    inbox = inbox_of(2, first_step=0)
    for index in (3, 1, 0):
        inbox.offer(worker(index), 0, vector(index))
    assert inbox.consume(0).senders == (worker(1), worker(3))


def test_a_stale_vote_is_dropped() -> None:
    inbox = inbox_of(1, first_step=5)
    inbox.offer(worker(0), 4, vector(1))
    assert len(inbox) == 0
    inbox.offer(worker(0), 5, vector(1))
    assert len(inbox) == 1


def test_consuming_a_step_forgets_it_and_all_before_it() -> None:
    inbox = inbox_of(1, first_step=0)
    inbox.offer(worker(0), 3, vector(1))
    inbox.offer(worker(1), 4, vector(1))
    inbox.offer(worker(2), 5, vector(1))
    inbox.consume(4)
    assert len(inbox) == 1
    inbox.offer(worker(0), 4, vector(1))
    assert len(inbox) == 1
    assert inbox.newest_reached() == 5


def test_of_three_steps_of_a_sender_the_two_newest_are_kept() -> None:
    inbox = inbox_of(1, first_step=0)
    for step in (1, 3, 2):
        inbox.offer(worker(0), step, vector(step))
    assert len(inbox) == 2
    assert rows(inbox.consume(1)) == [[2.0]]
    assert rows(inbox.consume(3)) == [[3.0]]


def test_a_vote_older_than_the_two_newest_of_its_sender_is_dropped() -> None:
    inbox = inbox_of(1, first_step=0)
    for step in (2, 3, 1):
        inbox.offer(worker(0), step, vector(step))
    assert rows(inbox.consume(1)) == [[2.0]]


def test_a_vote_counts_for_every_step_before_it() -> None:
    inbox = inbox_of(2, first_step=0)
    inbox.offer(worker(0), 1, vector(1))
    inbox.offer(worker(1), 4, vector(4))
    assert inbox.reached(1)
    assert not inbox.reached(2)
    quorum = inbox.consume(1)
    assert [vote.step for vote in quorum.votes] == [1, 4]


def test_a_vote_that_stood_in_still_counts_for_its_own_step() -> None:
    inbox = inbox_of(1, first_step=0)
    inbox.offer(worker(0), 4, vector(4))
    inbox.consume(1)
    assert rows(inbox.consume(4)) == [[4.0]]


def test_votes_for_the_step_itself_go_before_those_that_stand_in() -> None:
    inbox = inbox_of(2, first_step=0)
    for index, step in ((0, 5), (1, 2), (2, 2)):
        inbox.offer(worker(index), step, vector(step))
    assert inbox.consume(2).senders == (worker(1), worker(2))


def test_a_sender_counts_once_however_many_steps_it_has_voted_for() -> None:
    inbox = inbox_of(2, first_step=0)
    inbox.offer(worker(0), 1, vector(1))
    inbox.offer(worker(0), 2, vector(2))
    assert inbox.newest_reached() is None


def test_the_newest_reached_step_is_the_highest_with_a_quorum() -> None:
    inbox = inbox_of(2, first_step=0)
    for index, step in ((0, 1), (1, 1), (0, 7), (1, 7), (2, 9)):
        inbox.offer(worker(index), step, vector(step))
    assert inbox.newest_reached() == 7


@pytest.mark.parametrize("rule", ["median", "meamed", "trimmed-mean", "multi-krum"])
def test_a_zero_has_no_sign_that_tells_who_came_first(rule: str) -> None:
    """Once, the order of arrival chose the sign of the median in 296 of these 1,024 quorums."""
    zeros = [np.float32(value) for value in (0.0, -0.0, 1.0, -1.0)]
    for values in product(zeros, repeat=5):
        combined = set()
        for order in (range(5), (4, 3, 2, 1, 0), (4, 0, 2, 1, 3)):
            inbox = Inbox(5, 0, bind(rule, n=5, f=1))
            for index in order:
                inbox.offer(worker(index), 0, vector(values[index]))
            combined.add(inbox.consume(0).combine().tobytes())
        assert len(combined) == 1, values


def test_nothing_is_reached_in_an_empty_inbox() -> None:
    assert inbox_of(1, first_step=0).newest_reached() is None


@settings(deadline=None)
@given(
    votes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), max_size=200),
    consume=st.booleans(),
)
def test_memory_is_bounded_by_two_votes_per_sender_whatever_is_sent(
    votes: list[tuple[int, int]], consume: bool
) -> None:
    inbox = inbox_of(3, first_step=0)
    for sender, step in votes:
        inbox.offer(worker(sender), step, vector(step))
        assert len(inbox) <= STEPS_KEPT * 5
        newest = inbox.newest_reached()
        if consume and newest is not None:
            assert len(set(inbox.consume(newest).senders)) == 3


class Recorded:
    """An aggregate that writes down what is prepared, quorum after quorum."""

    products = None

    def __init__(self) -> None:
        self.added: list[list[float]] = []

    def gather(self) -> "Recorded":
        self.added.append([])
        return self

    def add(self, vector: np.ndarray) -> None:
        self.added[-1].append(float(vector[0]))

    def combine(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        return np.sum(vectors, axis=0)


def test_votes_for_the_next_step_are_prepared_as_they_come() -> None:
    recorded = Recorded()
    inbox = Inbox(2, 0, recorded)
    inbox.offer(worker(3), 0, vector(3))
    inbox.offer(worker(1), 1, vector(11))
    inbox.offer(worker(0), 1, vector(10))
    assert recorded.added == [[3.0]]
    inbox.offer(worker(2), 0, vector(2))
    assert inbox.consume(0).combine().tolist() == [5.0]
    # Those that came early are prepared in the order of their arrival.
    assert recorded.added == [[3.0, 2.0], [11.0, 10.0]]
