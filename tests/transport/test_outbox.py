"""Laws of the outbox: one message in flight, and the newest one of each kind pending."""

from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.messages import Params, Report
from guanyu_mpi.transport.outbox import MESSAGES_PER_RECEIVER, Outbox


def server(index: int) -> Node:
    return Node(Role.SERVER, index)


def test_the_first_message_is_sent_at_once() -> None:
    assert Outbox[str]().offer(server(0), "a")


def test_while_one_is_in_flight_the_next_is_pending() -> None:
    outbox = Outbox[str]()
    outbox.offer(server(0), "a")
    assert not outbox.offer(server(0), "b")
    assert outbox.delivered(server(0)) == "b"


def test_the_newest_pending_message_replaces_the_older_one() -> None:
    outbox = Outbox[str]()
    for item in ("a", "b", "c", "d"):
        outbox.offer(server(0), item)
    assert outbox.delivered(server(0)) == "d"
    assert outbox.delivered(server(0)) is None
    assert outbox.replaced.total() == 2


def test_receivers_do_not_wait_for_each_other() -> None:
    outbox = Outbox[str]()
    outbox.offer(server(0), "a")
    assert outbox.offer(server(1), "b")


def test_after_all_is_delivered_a_message_is_sent_at_once_again() -> None:
    outbox = Outbox[str]()
    outbox.offer(server(0), "a")
    assert outbox.delivered(server(0)) is None
    assert outbox.offer(server(0), "b")


def test_a_pending_message_that_is_sent_is_in_flight() -> None:
    outbox = Outbox[str]()
    outbox.offer(server(0), "a")
    outbox.offer(server(0), "b")
    outbox.delivered(server(0))
    assert not outbox.offer(server(0), "c")


def test_it_is_idle_when_nothing_is_in_flight_to_those_who_are_asked_about() -> None:
    outbox = Outbox[str]()
    outbox.offer(server(0), "a")
    assert not outbox.idle([server(0), server(1)])
    assert outbox.idle([server(1)])
    outbox.delivered(server(0))
    assert outbox.idle([server(0), server(1)])


def test_a_receiver_that_is_forgotten_gets_nothing_that_was_pending() -> None:
    outbox = Outbox[str]()
    outbox.offer(server(0), "a")
    outbox.offer(server(0), "b")
    outbox.forget(server(0))
    assert outbox.idle([server(0)])
    assert outbox.delivered(server(0)) is None


def test_messages_of_different_kinds_do_not_replace_each_other() -> None:
    outbox = Outbox[str]()
    outbox.offer(server(0), "params 0", Params)
    for step in (1, 2):
        assert not outbox.offer(server(0), f"report {step}", Report)
        assert not outbox.offer(server(0), f"params {step}", Params)
    assert outbox.delivered(server(0)) == "report 2"
    assert outbox.delivered(server(0)) == "params 2"
    assert outbox.delivered(server(0)) is None
    assert outbox.replaced.total() == 2


def test_a_kind_that_comes_often_does_not_keep_another_waiting() -> None:
    outbox = Outbox[str]()
    outbox.offer(server(0), "params", Params)
    outbox.offer(server(0), "params", Params)
    outbox.offer(server(0), "report", Report)
    sent = []
    for _ in range(4):
        sent.append(outbox.delivered(server(0)))
        outbox.offer(server(0), "params", Params)
        outbox.offer(server(0), "report", Report)
    assert sent == ["params", "report", "params", "report"]


def test_of_several_kinds_one_is_in_flight() -> None:
    outbox = Outbox[str]()
    assert outbox.offer(server(0), "params", Params)
    assert not outbox.offer(server(0), "report", Report)
    assert outbox.delivered(server(0)) == "report"
    assert not outbox.idle([server(0)])


@settings(deadline=None)
@given(actions=st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=200))
def test_every_receiver_gets_an_increasing_sequence_that_ends_with_the_newest(
    actions: list[tuple[bool, int]],
) -> None:
    outbox = Outbox[int]()
    in_flight: dict[int, int] = {}
    received: dict[int, list[int]] = {0: [], 1: [], 2: []}
    offered: dict[int, list[int]] = {0: [], 1: [], 2: []}

    def arrive(index: int) -> None:
        received[index].append(in_flight.pop(index))
        following = outbox.delivered(server(index))
        if following is not None:
            in_flight[index] = following

    for number, (offers, index) in enumerate(actions):
        if offers:
            offered[index].append(number)
            if outbox.offer(server(index), number):
                assert index not in in_flight
                in_flight[index] = number
        elif index in in_flight:
            arrive(index)
    for index in offered:
        for _ in range(MESSAGES_PER_RECEIVER):
            if index in in_flight:
                arrive(index)
        assert index not in in_flight
        assert received[index] == sorted(set(received[index]))
        assert received[index][-1:] == offered[index][-1:]
    dropped = sum(len(offered[index]) - len(received[index]) for index in offered)
    assert outbox.replaced.total() == dropped
