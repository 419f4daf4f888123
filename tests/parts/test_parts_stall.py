"""When standing still is a stall, and when it is not."""

from dataclasses import replace

import pytest
from parts_harness import CLUSTER
from state_harness import Clock, said

from guanyu_mpi.cluster import Cluster
from guanyu_mpi.done import Done
from guanyu_mpi.stall import LOOK_S_MAX, PATIENCE, Awake, Patience, Standstill

TIMEOUT_S = 10.0
START_S = 100.0
# A Byzantine server, of one that is tolerated.
LIAR = 5


def standstill(clock: Clock, cluster: Cluster = CLUSTER) -> Standstill:
    return Standstill(cluster, start_timeout_s=START_S, stall_timeout_s=TIMEOUT_S, clock_s=clock)


def test_a_process_that_was_stopped_has_not_waited() -> None:
    clock = Clock()
    awake = Awake(clock)
    clock.now_s += 0.5
    assert awake() == 0.5
    clock.now_s += 3600.0
    assert awake() == 0.5 + LOOK_S_MAX


def test_patience_is_up_after_the_timeout_without_progress() -> None:
    clock = Clock()
    patience = Patience(TIMEOUT_S, clock)
    assert not patience.look((41, "nobody"))
    clock.now_s += TIMEOUT_S - 0.1
    assert not patience.look((41, "nobody"))
    clock.now_s += 0.2
    assert patience.look((41, "nobody"))


@pytest.mark.parametrize("seen", [(42, "nobody"), (41, "one vote")])
def test_a_step_or_a_vote_is_progress(seen: tuple[int, str]) -> None:
    clock = Clock()
    patience = Patience(TIMEOUT_S, clock)
    patience.look((41, "nobody"))
    clock.now_s += TIMEOUT_S + 1
    assert not patience.look(seen)
    assert patience.still_s == 0.0


def test_a_job_stands_still_when_its_servers_do() -> None:
    clock = Clock()
    watched = standstill(clock)
    states = [said(rank, 41) for rank in range(6)]
    assert not watched.look(states, [])
    clock.now_s += PATIENCE * TIMEOUT_S - 0.1
    assert not watched.look(states, [])
    clock.now_s += 0.2
    assert watched.look(states, []) == "no progress for 15 s"


def test_it_gives_the_ranks_time_to_end_themselves_first() -> None:
    assert PATIENCE > 1


def test_two_servers_that_move_are_progress_and_one_that_may_lie_is_not() -> None:
    clock = Clock()
    watched = standstill(clock)
    ends = []
    for step in range(40):
        states = [said(0, 0), said(2, min(step, 19)), said(LIAR, step)]
        ends.append(watched.look(states, []))
        clock.now_s += 1.0
    assert not any(ends[:20])
    assert ends[-1] == "no progress for 20 s"


def test_the_silent_and_the_workers_make_no_progress() -> None:
    clock = Clock()
    watched = standstill(clock)
    watched.look([said(rank, 0) for rank in range(6)], [])
    for step in range(20):
        clock.now_s += 1.0
        end = watched.look([said(rank, step) for rank in range(6, 13)], [])
    assert end == "no progress for 20 s"


def test_to_end_is_progress_once() -> None:
    clock = Clock()
    watched = standstill(clock)
    done = [Done(rank, f"server-0{rank}", "finished", 50, "") for rank in range(4)]
    states = [said(rank, 49) for rank in range(6)]
    watched.look(states, [])
    clock.now_s += 14.0
    assert not watched.look(states, done)
    clock.now_s += 14.0
    assert not watched.look(states, done)
    clock.now_s += 2.0
    assert watched.look(states, done)


def test_a_slow_start_is_no_stall() -> None:
    clock = Clock()
    watched = standstill(clock)
    clock.now_s += PATIENCE * START_S - 0.1
    # That of a liar is the start of nothing.
    assert not watched.look([said(LIAR, 0)], [])
    clock.now_s += 0.2
    assert watched.look([said(LIAR, 0)], []) == "not started after 150 s"


def test_one_trusted_server_is_believed() -> None:
    clock = Clock()
    watched = standstill(clock, Cluster(1, 0, 1, 6, 1, 5))
    for step in range(30):
        assert not watched.look([said(0, step)], [])
        clock.now_s += TIMEOUT_S
    assert watched.look([replace(said(0, 29), answers=1)], []) == ""
    clock.now_s += TIMEOUT_S
    assert watched.look([said(0, 29)], []), "to answer is no progress"
