"""A rank's part of its node: threads by the cores that it shares, a device by its place there."""

import doctest
import os

import pytest

from guanyu_mpi import cores
from guanyu_mpi.cores import described, device, hold_back, share, take_share, threads

ENVIRONMENT = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        # Set first, so that what a test leaves is undone in any case.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def first(count: int, start: int = 0) -> frozenset[int]:
    return frozenset(range(start, start + count))


def test_the_examples_hold() -> None:
    found = doctest.testmod(cores)
    assert found.attempted
    assert not found.failed


def test_a_rank_on_two_shared_cores_starts_one_thread() -> None:
    assert threads(5, [first(2)] * 13) == 1


def test_ranks_that_share_all_cores_divide_them() -> None:
    assert threads(0, [first(64)] * 5) == 12


def test_a_rank_that_is_bound_to_cores_of_its_own_has_them_all() -> None:
    own = [first(4, 4 * rank) for rank in range(8)]
    assert [threads(rank, own) for rank in range(8)] == [4] * 8


def test_a_core_counts_for_what_others_leave_of_it() -> None:
    """2 cores alone and half of 2 others, and the other halves."""
    assert threads(0, [first(4), first(2, 2)]) == 3
    assert threads(1, [first(4), first(2, 2)]) == 1


def test_no_thread_is_lost_to_rounding() -> None:
    assert threads(0, [first(12)] * 3) == 4
    assert threads(0, [first(49)] * 49) == 1


def test_a_rank_has_a_core_of_its_own_where_its_parts_make_one() -> None:
    assert share(3, [first(1, rank) for rank in range(4)]).own_core
    assert share(0, [first(2), first(2)]).own_core
    assert not share(0, [first(2)] * 3).own_core


def test_ranks_of_a_node_take_its_devices_in_turn() -> None:
    assert [device(rank, 4) for rank in range(6)] == [0, 1, 2, 3, 0, 1]


def test_a_rank_that_sees_one_device_takes_it() -> None:
    assert device(7, 1) == 0


def test_a_node_without_devices_has_none_to_give() -> None:
    assert device(3, 0) is None


def test_libraries_are_told_the_share() -> None:
    take_share(0, [first(8), first(8)])
    assert os.environ["OMP_NUM_THREADS"] == "4"


def test_the_users_word_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    hold_back()
    take_share(0, [first(8), first(8)])
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    assert described() == "threads per rank: 3 (OMP_NUM_THREADS)"


def test_numpy_is_held_to_one_thread_before_anybody_knows_better() -> None:
    hold_back()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in os.environ
