"""How long a rank sleeps while nothing moves."""

import itertools

import pytest

from guanyu_mpi.transport import backoff
from guanyu_mpi.transport.backoff import (
    FIRST_S,
    FIRST_SHARED_S,
    LONGEST_S,
    RECEIVING_S,
    SHARE,
    SHARED_SHARE,
    SHORT_S,
    Backoff,
)


@pytest.fixture
def naps_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The naps that were taken, of which none takes time."""
    naps: list[float] = []
    monkeypatch.setattr(backoff.time, "sleep", naps.append)
    return naps


def test_there_is_no_nap_after_a_movement(naps_s: list[float]) -> None:
    rest = Backoff()
    for receiving in (False, True):
        rest.rest(moved=True, receiving=receiving)
    assert naps_s == []


def test_naps_grow_up_to_a_bound(naps_s: list[float]) -> None:
    rest = Backoff()
    for _ in range(500):
        rest.rest(moved=False, receiving=False)
    assert naps_s[0] == FIRST_S
    assert all(longer >= shorter for shorter, longer in itertools.pairwise(naps_s))
    assert naps_s[-1] == max(naps_s) == LONGEST_S


def test_a_short_wait_is_never_answered_more_than_two_milliseconds_late(
    naps_s: list[float],
) -> None:
    rest = Backoff()
    while sum(naps_s) < SHORT_S / SHARE:
        rest.rest(moved=False, receiving=False)
    assert max(naps_s) == SHORT_S


def test_a_long_wait_is_answered_later_by_a_small_share_of_it(naps_s: list[float]) -> None:
    rest = Backoff()
    while LONGEST_S not in naps_s:
        waited_s = sum(naps_s)
        rest.rest(moved=False, receiving=False)
        assert naps_s[-1] <= max(SHORT_S, SHARE * waited_s * 1.000001)


def test_who_shares_its_core_looks_less_often(naps_s: list[float]) -> None:
    looks = []
    for own_core in (True, False):
        naps_s.clear()
        rest = Backoff(own_core=own_core)
        while sum(naps_s) < 0.1:
            rest.rest(moved=False, receiving=False)
        looks.append(len(naps_s))
    assert naps_s[0] == FIRST_SHARED_S
    assert max(naps_s) <= SHARED_SHARE * 0.1 + SHORT_S
    assert 3 * looks[1] < 2 * looks[0]


def test_a_movement_makes_the_next_nap_short_again(naps_s: list[float]) -> None:
    rest = Backoff()
    for _ in range(20):
        rest.rest(moved=False, receiving=False)
    rest.rest(moved=True, receiving=False)
    rest.rest(moved=False, receiving=False)
    assert naps_s[-1] == FIRST_S


def test_naps_are_short_while_a_message_is_coming_in(naps_s: list[float]) -> None:
    """A receive in flight makes progress only when it is polled."""
    rest = Backoff()
    for _ in range(20):
        rest.rest(moved=False, receiving=False)
    naps_s.clear()
    for _ in range(20):
        rest.rest(moved=False, receiving=True)
    assert naps_s == [FIRST_S] * 20


def test_a_sender_who_has_stopped_in_the_midst_of_a_message_is_not_polled_for_ever(
    naps_s: list[float],
) -> None:
    rest = Backoff()
    for _ in range(round(RECEIVING_S / FIRST_S)):
        rest.rest(moved=False, receiving=True)
    assert max(naps_s) == FIRST_S
    for _ in range(50):
        rest.rest(moved=False, receiving=True)
    assert naps_s[-1] == LONGEST_S
    rest.rest(moved=True, receiving=True)
    rest.rest(moved=False, receiving=True)
    assert naps_s[-1] == FIRST_S
