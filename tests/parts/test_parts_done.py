"""Done-files: who says what, and when that is success."""

import dataclasses
import json
from pathlib import Path

import pytest
from parts_harness import CLUSTER

from guanyu_mpi.cluster import Cluster
from guanyu_mpi.done import (
    Done,
    clear_done,
    done_path,
    has_finished,
    is_lost,
    read_done,
    write_done,
)

STEPS = 20


def done(rank: int, outcome: str = "finished", step: int = STEPS) -> Done:
    return Done(rank, str(CLUSTER.node(rank)), outcome, step, "")


def finished(*ranks: int) -> bool:
    return has_finished([done(rank) for rank in ranks], CLUSTER, STEPS)


def test_what_a_rank_says_is_read_again(tmp_path: Path) -> None:
    said = Done(7, "worker-01", "diverged", 4, 'größe\n"quoted"')
    write_done(tmp_path, said)
    assert read_done(tmp_path, CLUSTER) == [said]


def test_done_files_are_read_in_the_order_of_ranks(tmp_path: Path) -> None:
    for rank in (12, 3, 0, 7):
        write_done(tmp_path, done(rank))
    assert [said.rank for said in read_done(tmp_path, CLUSTER)] == [0, 3, 7, 12]


def test_the_last_word_of_a_rank_counts(tmp_path: Path) -> None:
    write_done(tmp_path, done(3, "failed"))
    write_done(tmp_path, done(3))
    assert read_done(tmp_path, CLUSTER) == [done(3)]


def test_writing_leaves_nothing_else_behind(tmp_path: Path) -> None:
    write_done(tmp_path, done(3))
    assert list(tmp_path.rglob("*.*")) == [done_path(tmp_path, 3)]


def test_nobody_has_said_anything_at_first(tmp_path: Path) -> None:
    assert read_done(tmp_path, CLUSTER) == []


def test_what_was_said_in_an_earlier_life_can_be_cleared(tmp_path: Path) -> None:
    clear_done(tmp_path, 3)
    write_done(tmp_path, done(3))
    write_done(tmp_path, done(4))
    clear_done(tmp_path, 3)
    assert read_done(tmp_path, CLUSTER) == [done(4)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'{"rank": 3, "node": "server-03", "outc',
        b"\xff",
        b"[]",
        b"3",
        b"null",
        b'{"rank": 3}',
        json.dumps({**dataclasses.asdict(done(3)), "more": 1}).encode(),
        json.dumps(dataclasses.asdict(done(4))).encode(),
        json.dumps({**dataclasses.asdict(done(3)), "rank": "3"}).encode(),
    ],
)
def test_a_file_that_is_not_a_ranks_own_word_says_nothing(tmp_path: Path, text: bytes) -> None:
    write_done(tmp_path, done(3))
    done_path(tmp_path, 3).write_bytes(text)
    write_done(tmp_path, done(5))
    assert read_done(tmp_path, CLUSTER) == [done(5)]


def test_files_of_ranks_that_do_not_exist_are_not_read(tmp_path: Path) -> None:
    write_done(tmp_path, Done(13, "worker-99", "finished", STEPS, ""))
    assert read_done(tmp_path, CLUSTER) == []


def test_success_is_n_minus_f_servers_at_the_last_step() -> None:
    assert finished(0, 1, 2, 3, 4)
    assert finished(1, 2, 3, 4, 5)
    assert not finished(0, 1, 2, 3)


def test_workers_and_the_observer_do_not_count() -> None:
    assert not finished(0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12)


@pytest.mark.parametrize("outcome", ["diverged", "failed", "FINISHED", ""])
def test_a_server_that_ended_otherwise_does_not_count(outcome: str) -> None:
    servers = [*(done(rank) for rank in range(4)), done(4, outcome)]
    assert not has_finished(servers, CLUSTER, STEPS)


@pytest.mark.parametrize("step", [STEPS - 1, STEPS + 1, 0])
def test_a_server_at_another_step_does_not_count(step: int) -> None:
    servers = [*(done(rank) for rank in range(4)), done(4, step=step)]
    assert not has_finished(servers, CLUSTER, STEPS)


def test_where_nobody_is_byzantine_all_servers_are_needed() -> None:
    cluster = Cluster(3, 0, 3, 3, 0, 3)
    servers = [Done(rank, "", "finished", STEPS, "") for rank in range(3)]
    assert has_finished(servers, cluster, STEPS)
    assert not has_finished(servers[1:], cluster, STEPS)


def test_one_trusted_server_is_enough() -> None:
    cluster = Cluster(1, 0, 1, 6, 1, 5)
    assert has_finished([Done(0, "", "finished", STEPS, "")], cluster, STEPS)
    assert not has_finished([Done(1, "", "finished", STEPS, "")], cluster, STEPS)


def test_a_run_is_lost_once_fewer_servers_than_a_quorum_may_still_finish() -> None:
    ended = [done(0, "failed", 3), done(1, "diverged", 3), done(2), done(6, "failed")]
    assert is_lost(ended, CLUSTER, STEPS)
    assert not is_lost(ended[1:], CLUSTER, STEPS)
    assert not is_lost([], CLUSTER, STEPS)
