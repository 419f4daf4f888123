"""When somebody is rejected nearly always, and when that is chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts_harness import CLUSTER, server

from guanyu_mpi.episode import USUAL_MAX, Episode, Stretch
from guanyu_mpi.server_distances import FAR, LEARNING_LOOKS, ServerDistances


def episode(looks: str) -> Episode:
    """A look per letter: accepted ".", rejected "r", a clear outlier "o"."""
    seen = Episode()
    for step, look in enumerate(looks):
        seen.look(step, rejected=look != ".", outlying=look == "o")
    return seen


def test_twenty_rejections_in_a_row_are_evident_and_nineteen_are_not() -> None:
    assert episode("r" * 19).evident is None
    assert episode("r" * 20).evident == Stretch(0, 19, 20, 20, 0)


def test_ten_clear_outliers_in_a_row_are_evident_and_nine_are_not() -> None:
    assert episode("o" * 9).evident is None
    assert episode("o" * 10).evident == Stretch(0, 9, 10, 10, 10)


def test_it_tells_since_when() -> None:
    assert episode("....r..r" + "o" * 30).evident == Stretch(7, 37, 31, 31, 30)


def test_a_few_acceptances_are_part_of_the_stretch() -> None:
    found = episode("." * 40 + ("o" * 24 + ".") * 4).evident
    assert found == Stretch(40, 139, 100, 96, 96)


def test_a_stretch_that_is_over_is_told_with_its_end() -> None:
    found = episode("." * 10 + "o" * 30 + "." * 50).evident
    assert found == Stretch(10, 39, 30, 30, 30, lasting=False)


def test_the_worst_stretch_is_told() -> None:
    found = episode("o" * 12 + "." * 20 + "o" * 15 + "." * 20 + "o" * 11).evident
    assert found is not None
    assert (found.since, found.until) == (32, 46)


@settings(deadline=None)
@given(looks=st.text("..ro", max_size=200))
def test_the_stretch_is_the_one_of_most_excess(looks: str) -> None:
    """Beside all stretches, tried one by one."""
    most = max(
        (
            sum(look != "." for look in looks[begin:end]) - USUAL_MAX * (end - begin)
            for begin in range(len(looks))
            for end in range(begin + 1, len(looks) + 1)
        ),
        default=0.0,
    )
    seen = episode(looks)
    assert (seen.looks, seen.rejected) == (len(looks), len(looks) - looks.count("."))
    worst = seen._worst.excess if seen._worst else 0.0
    assert worst == pytest.approx(max(most, 0.0))


@pytest.mark.parametrize("share", [1 / 5, 1 / 3, 10 / 23])
def test_who_is_rejected_by_chance_is_not_suspected(share: float) -> None:
    rng = np.random.default_rng(7)
    suspected = 0
    for _ in range(20):
        seen = Episode()
        for step, rejected in enumerate(rng.random(2000) < share):
            seen.look(step, rejected=bool(rejected), outlying=False)
        suspected += seen.evident is not None
    assert suspected == 0


def distances(looks: int, last: float) -> ServerDistances:
    """Servers 0 to 4 within 1 of the median, the last one as said; a step moves it by 1."""
    seen = ServerDistances(CLUSTER)
    for step in range(looks):
        near = {server(index): index / 3 for index in range(4)}
        seen.look(step, {**near, server(5): last}, moved=1.0)
    return seen


def test_a_server_that_is_far_in_every_look_is_evident() -> None:
    assert list(distances(12, last=FAR + 0.1).evident) == [server(5)]
    assert distances(12, last=FAR + 0.1).evident[server(5)].since == 2


def test_the_share_of_looks_at_which_a_server_was_far_is_told_after_the_first_ones() -> None:
    assert distances(LEARNING_LOOKS, last=FAR + 0.1).far == {}
    far = distances(12, last=FAR + 0.1).far
    assert far == {**{server(index): 0.0 for index in range(4)}, server(5): 1.0}


def test_a_server_that_was_far_now_and_then_has_a_share_between() -> None:
    seen = distances(LEARNING_LOOKS + 3, last=0.0)
    seen.look(9, {**{server(index): 0.0 for index in range(4)}, server(5): FAR + 0.1}, moved=1.0)
    assert seen.far[server(5)] == 1 / 4


def test_a_server_that_is_merely_the_farthest_is_not() -> None:
    assert distances(500, last=FAR - 0.1).evident == {}


def test_servers_that_are_equal_to_the_bit_do_not_make_another_one_far() -> None:
    seen = ServerDistances(CLUSTER)
    for step in range(100):
        seen.look(step, {server(0): 0.5, **{server(i): 0.0 for i in range(1, 5)}}, moved=0.2)
    assert seen.evident == {}


def test_what_cannot_be_measured_accuses_nobody() -> None:
    assert distances(50, last=float("nan")).evident == {}
    seen = ServerDistances(CLUSTER)
    for step in range(50):
        seen.look(step, {server(0): 9.0, server(1): 0.0}, moved=1.0)
    assert seen.evident == {}
