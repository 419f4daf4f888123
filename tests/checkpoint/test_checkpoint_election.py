"""Which step a restart takes: laws of pure functions."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guanyu_mpi.checkpoint import Writers, restore_step
from guanyu_mpi.checkpoint.election import (
    AHEAD_MAX,
    elect,
    last_resort,
    plausible,
    retained,
    unfinished_first,
)
from guanyu_mpi.cluster import Cluster, default_quorum

SMALL, LARGE, HUGE = Writers(6, 1, 5), Writers(13, 3, 9), Writers(24, 7, 17)
SINGLE = Writers(1, 0, 1)

holdings = st.dictionaries(st.integers(0, 8), st.frozensets(st.integers(1, 6)), max_size=9)


def of(servers: range, *steps: int) -> dict[int, set[int]]:
    return {server: set(steps) for server in servers}


@given(holdings, st.integers(1, 9))
def test_the_step_is_the_highest_that_a_quorum_holds(
    held: dict[int, frozenset[int]], quorum: int
) -> None:
    enough = [
        step
        for step in range(1, 7)
        for servers in itertools.combinations(held, min(quorum, 9))
        if len(servers) == quorum and all(step in held[server] for server in servers)
    ]
    assert restore_step(held, quorum) == (max(enough) if enough else None)


@given(holdings, st.integers(1, 9), st.integers(0, 8), st.integers(1, 6))
def test_one_more_file_never_lowers_the_step(
    held: dict[int, frozenset[int]], quorum: int, server: int, step: int
) -> None:
    more = {**held, server: held.get(server, frozenset()) | {step}}
    assert (restore_step(more, quorum) or 0) >= (restore_step(held, quorum) or 0)


def test_a_quorum_of_the_current_servers_is_taken() -> None:
    found = elect({SMALL: {**of(range(5), 10, 20), 5: {10}}}, SMALL)
    assert found is not None
    assert (found.step, found.holders, found.needed) == (20, (0, 1, 2, 3, 4), 5)
    assert str(found) == "step 20 is held by servers 0, 1, 2, 3, 4: 5 of 6, 5 needed"
    assert elect({SMALL: of(range(4), 10)}, SMALL) is None
    assert elect({}, SMALL) is None


@pytest.mark.parametrize(("wrote", "now"), [(SMALL, LARGE), (LARGE, SMALL), (SMALL, HUGE)])
def test_a_changed_cluster_is_restored_by_the_quorum_that_wrote(
    wrote: Writers, now: Writers
) -> None:
    found = elect({wrote: of(range(wrote.server_quorum), 40)}, now)
    assert found is not None
    assert (found.step, found.writers, found.needed) == (40, wrote, wrote.server_quorum)
    assert elect({wrote: of(range(wrote.server_quorum - 1), 40)}, now) is None


def test_a_job_killed_at_its_first_checkpoint_after_growing_restores_the_older_cluster() -> None:
    for writers_done in range(LARGE.server_quorum):
        held = {SMALL: of(range(6), 40), LARGE: of(range(writers_done), 50)}
        found = elect(held, LARGE)
        assert found is not None
        assert (found.step, found.writers) == (40, SMALL)
    found = elect({SMALL: of(range(6), 40), LARGE: of(range(9), 50)}, LARGE)
    assert found is not None
    assert (found.step, found.writers) == (50, LARGE)


def test_as_many_as_may_lie_by_the_new_numbers_are_not_believed_where_more_hold_another_step() -> (
    None
):
    """Before a server of the new layout has saved anything."""
    invented = Writers(3, 0, 3)
    now = Writers(12, 3, 9)
    found = elect({SMALL: of(range(6), 400), invented: of(range(3), 999)}, now)
    assert found is not None
    assert (found.step, found.writers) == (400, SMALL)


clusters = st.sampled_from([SMALL, Writers(9, 2, 7), LARGE, HUGE])


@given(clusters, st.booleans(), st.data())
def test_liars_cannot_move_the_step(
    current: Writers, honest_finished: bool, data: st.DataObject
) -> None:
    """At most f servers invent steps and clusters; the honest ones hold 40, and 30 before it."""
    liars = data.draw(st.integers(0, current.byzantine_servers))
    honest = range(liars, current.servers)
    held = {current: of(honest, 30, 40) if honest_finished else of(honest, 30)}
    expected = 40 if honest_finished else 30
    invented = st.builds(Writers, st.integers(1, 9), st.integers(0, 2), st.integers(1, 9))
    for liar in range(liars):
        for _ in range(data.draw(st.integers(0, 3))):
            writers = data.draw(invented | st.just(current))
            step = data.draw(st.sampled_from([30, 40, 50, 10**9]))
            held.setdefault(writers, {}).setdefault(liar, set()).add(step)
    found = elect(held, current)
    assert found is not None
    assert (found.step, found.writers) == (expected, current)
    assert set(honest) <= set(found.holders)


def test_several_liars_cannot_invent_a_small_cluster_after_a_change() -> None:
    invented = Writers(3, 0, 3)
    held = {HUGE: of(range(3, 24), 40), invented: of(range(3), 10**9)}
    for current in (HUGE, LARGE, SMALL):
        found = elect(held, current)
        assert found is not None
        assert (found.step, found.writers) == (40, HUGE)


def test_liars_cannot_end_an_unfinished_first_checkpoint() -> None:
    held = {LARGE: of(range(3, 11), 40), Writers(3, 0, 3): of(range(3), 10**9)}
    assert elect(held, LARGE) is None


def test_one_server_is_believed_only_where_nobody_lies() -> None:
    held = {SINGLE: {0: {40}}}
    assert elect(held, SINGLE) is not None
    assert elect(held, Writers(6, 0, 6)) is not None
    assert elect(held, SMALL) is None
    assert elect({**held, SMALL: of(range(1, 6), 10)}, SMALL).step == 10  # type: ignore[union-attr]


@given(st.integers(2, 40), st.integers(0, 12), st.integers(0, 40))
def test_writers_are_plausible_within_the_bounds_of_the_cluster(n: int, f: int, q: int) -> None:
    sound = not Cluster(n, f, q, n, f, default_quorum(n, f)).faults()
    assert plausible(Writers(n, f, q), Writers(1000, 0, 1000)) == sound
    assert plausible(Writers(n, f, q), Writers(n, f, q))


def test_the_last_resort_is_a_majority_over_liars_of_the_current_servers() -> None:
    held = {SMALL: {0: {10, 20, 30}, 1: {10, 20, 30}, 2: {10, 20}}, LARGE: of(range(8), 40)}
    found = last_resort(held, SMALL)
    assert found is not None
    assert (found.step, found.holders, found.needed) == (20, (0, 1, 2), 3)
    assert last_resort({LARGE: of(range(8), 40)}, SMALL) is None


def test_only_a_first_checkpoint_cut_short_is_nothing_to_lose() -> None:
    assert unfinished_first({}, SMALL)
    assert unfinished_first({0: [10], 1: [10], 2: [10], 3: [10], 4: [], 5: []}, SMALL)
    assert unfinished_first({0: [10], 1: [20], 2: [30]}, SMALL)
    # A quorum has one, so it was finished, and damaged later.
    assert not unfinished_first(of(range(5), 10), SMALL)
    # One server may lie about how far it got, two may not.
    assert unfinished_first({0: [10, 20, 30], 1: [10]}, SMALL)
    assert not unfinished_first({0: [10, 20], 1: [10, 20]}, SMALL)


@given(holdings, st.integers(0, 5), st.integers(1, 3), st.integers(0, 4))
def test_what_a_restart_needs_is_retained(
    present: dict[int, frozenset[int]], server: int, keep: int, restored: int
) -> None:
    """Names in the directories of former servers do not count."""
    kept = retained(present, server, keep, SMALL, restored)
    own = present.get(server, frozenset())
    now = {other: steps for other, steps in present.items() if other < 6}
    needed = max(restore_step(now, 5) or 0, restored)
    assert kept >= {needed, *sorted(own)[-keep:]}
    assert all(step in kept for step in own if step > needed)
    assert len([step for step in kept if step < needed]) <= keep


def test_a_server_far_ahead_of_all_others_keeps_a_bounded_number(
    num_files: int = 50, keep: int = 3
) -> None:
    present = {0: range(1, num_files + 1), **of(range(1, 6), 10)}
    kept = retained(present, 0, keep, SMALL, 0)
    # The roundest, which slower disks do not skip either, and of those alike the oldest.
    roundest = {32, 16, 48, 24, 40, 12, 20, 28}
    assert len(roundest) == AHEAD_MAX
    assert kept == {10, *roundest, *range(num_files - keep + 1, num_files + 1)}
