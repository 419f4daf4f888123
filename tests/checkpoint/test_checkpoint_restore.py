"""A restart: own file, or the others' median; never a file that is wrong, and nothing is lost."""

from pathlib import Path

import numpy as np
import pytest
from checkpoint_runs import (
    CLUSTER,
    DIMENSION,
    EVERYONE,
    IDENTITY,
    LARGER,
    contents,
    damage,
    found,
    median,
    params_of,
    restored,
    save,
    store_of,
)

from guanyu_mpi.checkpoint import (
    Checkpoint,
    ForeignError,
    Header,
    begin,
    evidence,
    path_of,
    read,
    restore,
    resume,
    scan,
)
from guanyu_mpi.checkpoint.hdf5 import write_file
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError, InvariantError
from guanyu_mpi.messages import Vector

SINGLE = Cluster(1, 0, 1, 6, 1, 5)


def median_of(step: int, *servers: int) -> Vector:
    return median(np.stack([params_of(server, step) for server in servers]))


def spoil(root: Path, server: int, step: int, kind: str) -> None:
    path = path_of(root, server, step)
    if kind == "missing":
        path.unlink()
    elif kind == "torn":
        path.write_bytes(path.read_bytes()[:1500])
    elif kind == "wrong":
        damage(root, server, step)
    elif kind == "of another server":
        path.write_bytes(path_of(root, (server + 1) % 6, step).read_bytes())
    else:
        path.write_bytes(b"not HDF5")


KINDS = ["missing", "torn", "wrong", "of another server", "not HDF5"]


def test_a_run_without_checkpoints_starts_at_step_0(tmp_path: Path) -> None:
    assert restored(tmp_path, 0) is None
    assert restored(tmp_path / "nowhere", 0) is None
    assert resume(store_of(tmp_path, 0), median) is None


def test_a_server_with_a_valid_file_goes_on_from_it_bit_for_bit(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    for server in EVERYONE:
        result = found(tmp_path, server)
        assert (result.step, result.own, result.faults) == (20, True, ())
        assert result.params.tobytes() == params_of(server, 20).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_without_one_takes_the_median_of_all_others(tmp_path: Path, kind: str) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    spoil(tmp_path, 2, 20, kind)
    before = contents(tmp_path)
    result = found(tmp_path, 2)
    assert (result.step, result.own) == (20, False)
    assert (result.params == median_of(20, 0, 1, 3, 4, 5)).all()
    assert len(result.faults) == (kind != "missing")
    assert found(tmp_path, 0).own
    assert contents(tmp_path) == before


@pytest.mark.parametrize("kind", KINDS)
def test_more_damage_than_a_quorum_bears_goes_back_one_checkpoint(
    tmp_path: Path, kind: str
) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    spoil(tmp_path, 2, 20, kind)
    spoil(tmp_path, 4, 20, kind)
    for server in EVERYONE:
        result = found(tmp_path, server)
        assert (result.step, result.own) == (10, True)


def test_rows_reach_the_contraction_in_the_order_of_servers(tmp_path: Path) -> None:
    save(tmp_path, reversed(EVERYONE), [10])
    spoil(tmp_path, 3, 10, "missing")
    seen = []

    def watch(vectors_nd: Vector) -> Vector:
        seen.append(vectors_nd.copy())
        return median(vectors_nd)

    restore(tmp_path, 3, CLUSTER, dimension=DIMENSION, identity=IDENTITY, contraction=watch)
    assert (seen[0] == np.stack([params_of(server, 10) for server in (0, 1, 2, 4, 5)])).all()


def test_nobody_in_particular_takes_the_median_of_all(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    result = found(tmp_path, None)
    assert not result.own
    assert (result.params == median_of(10, *EVERYONE)).all()


def test_a_liars_values_stay_inside_those_of_the_honest(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    lie = np.full(DIMENSION, 1e30, np.float32)
    store_of(tmp_path, 5).write(10, lie)
    spoil(tmp_path, 0, 10, "missing")
    honest_nd = np.stack([params_of(server, 10) for server in range(1, 5)])
    params = found(tmp_path, 0).params
    assert (params >= honest_nd.min(axis=0)).all()
    assert (params <= honest_nd.max(axis=0)).all()


def test_a_liar_cannot_choose_the_step(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    path = path_of(tmp_path, 0, 10**9)
    write_file(path, Checkpoint(Header(10**9, 0, IDENTITY, 1, 0, 1), params_of(0, 1)))
    assert read(path, DIMENSION, IDENTITY)
    for server in EVERYONE:
        assert found(tmp_path, server).step == 20


def test_no_more_is_read_than_the_newest_restorable_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, EVERYONE, [10, 20, 30])
    save(tmp_path, [0, 1], [40])
    steps = []

    def watch(path: Path, *options: object) -> Checkpoint:
        steps.append(path.name)
        return read(path, *options)

    monkeypatch.setattr(evidence, "read", watch)
    assert found(tmp_path, 0).step == 30
    assert steps == ["step-000000030.h5"] * 6


def test_a_server_that_makes_up_endless_files_is_not_read_endlessly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, [0, 1], [10])
    for step in range(1000, 1400):
        path_of(tmp_path, 0, step).touch()
    reads: list[Path] = []

    def watch(path: Path, *options: object) -> Checkpoint:
        reads.append(path)
        return read(path, *options)

    monkeypatch.setattr(evidence, "read", watch)
    assert restored(tmp_path, 1) is None
    assert len(reads) == evidence.FILES_MAX + 1


def test_a_kill_during_the_first_checkpoint_starts_anew_and_sets_it_aside(tmp_path: Path) -> None:
    save(tmp_path, [0, 1], [10])
    assert restored(tmp_path, 0) is None
    for server in EVERYONE:
        store = store_of(tmp_path, server)
        assert resume(store, median) is None
        begin(store, None)
    assert not any(scan(tmp_path).values())
    assert path_of(tmp_path, 0, 10).with_name("step-000000010.h5.abandoned").exists()


def test_a_first_checkpoint_is_unfinished_by_the_quorum_that_wrote_it(tmp_path: Path) -> None:
    save(tmp_path, range(5), [10], LARGER)
    assert restored(tmp_path, 0, CLUSTER) is None
    assert restored(tmp_path, 0, Cluster(6, 1, 4, 6, 1, 5)) is None


def test_a_first_checkpoint_of_a_quorum_is_never_thrown_away(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    for server in range(4):
        damage(tmp_path, server, 10)
    before = contents(tmp_path)
    for server in EVERYONE:
        with pytest.raises(CheckpointError):
            resume(store_of(tmp_path, server), median)
    assert contents(tmp_path) == before


def test_a_majority_over_the_liars_is_enough_where_no_step_has_a_quorum(tmp_path: Path) -> None:
    """A slow server never wrote, and two files are damaged: 3 = 2f + 1 are left."""
    save(tmp_path, range(5), [10, 20])
    for step in (10, 20):
        damage(tmp_path, 0, step)
        damage(tmp_path, 1, step)
    result = found(tmp_path, 5)
    assert (result.step, result.own, result.election.needed) == (20, False, 3)
    assert (result.params == median_of(20, 2, 3, 4)).all()
    assert found(tmp_path, 2).own


def test_what_cannot_be_restored_is_refused_with_all_that_is_known(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    for server in range(4):
        damage(tmp_path, server, 10)
        damage(tmp_path, server, 20)
    before = contents(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        restored(tmp_path, 5)
    message = str(caught.value)
    assert f"{tmp_path}: no step can be restored: none is held validly by" in message
    assert "server_quorum = 5 servers, nor by 2f + 1 = 3" in message
    assert "server 3 holds nothing valid; step-000000020.h5 its contents do not match" in message
    assert "server 5 holds 20, 10" in message
    assert message.splitlines()[-1] == (
        "nothing was changed; --accept-fewer starts from the median of the 2 valid files of step "
        "20, which liars may have made; --fresh with another --run-dir starts anew"
    )
    assert contents(tmp_path) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_repairs_the_servers_own_file(tmp_path: Path, kind: str) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    spoil(tmp_path, 2, 20, kind)
    assert not found(tmp_path, 2).own
    store = store_of(tmp_path, 2)
    result = resume(store, median)
    assert not found(tmp_path, 2).own
    begin(store, result)
    assert result is not None
    again = found(tmp_path, 2)
    assert again.own
    assert (again.params == result.params).all()
    assert scan(tmp_path)[2] == (20, 10)


def test_a_restart_sets_aside_what_only_some_servers_had_begun(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    save(tmp_path, [0, 1], [20])
    before = contents(tmp_path)
    stores = [store_of(tmp_path, server) for server in EVERYONE]
    results = [resume(store, median) for store in stores]
    # A rank that refuses now ends a job that has changed nothing.
    assert contents(tmp_path) == before
    for store, result in zip(stores, results, strict=True):
        assert result is not None
        assert (result.step, result.own) == (10, True)
        begin(store, result)
    assert set(scan(tmp_path).values()) == {(10,)}


@pytest.mark.parametrize(("wrote", "now"), [(CLUSTER, LARGER), (LARGER, CLUSTER)])
def test_a_changed_number_of_servers_restores_the_same_way(
    tmp_path: Path, wrote: Cluster, now: Cluster
) -> None:
    save(tmp_path, range(wrote.servers), [10, 20], wrote)
    before = contents(tmp_path)
    for server in range(now.servers):
        result = resume(store_of(tmp_path, server, now), median)
        assert result is not None
        assert (result.step, result.own) == (20, server < wrote.servers)
        if server >= wrote.servers:
            assert (result.params == median_of(20, *range(wrote.servers))).all()
    assert contents(tmp_path) == before


def test_a_changed_cluster_goes_on_and_restarts_from_its_own_checkpoints(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    stores = [store_of(tmp_path, server, LARGER) for server in range(9)]
    for store in stores:
        assert resume(store, median) is not None
    for store in stores[:6]:
        store.write(30, params_of(store.server, 30))
    assert found(tmp_path, 8, LARGER).step == 20
    stores[6].write(30, params_of(6, 30))
    assert found(tmp_path, 8, LARGER).step == 30


def test_one_servers_run_goes_on_with_several_only_where_nobody_lies(tmp_path: Path) -> None:
    save(tmp_path, [0], [10, 20], SINGLE)
    assert found(tmp_path, 0, SINGLE).own
    trusting = Cluster(6, 0, 6, 6, 1, 5)
    assert (found(tmp_path, 3, trusting).params == params_of(0, 20)).all()
    with pytest.raises(CheckpointError, match=r"a cluster with Writers\(servers=1, "):
        restored(tmp_path, 3, CLUSTER)


@pytest.mark.parametrize("num_foreign", [1, 2, 6])
def test_another_runs_files_are_named_unless_liars_alone_may_have_made_them(
    tmp_path: Path, num_foreign: int
) -> None:
    save(tmp_path, range(num_foreign, 6), [10])
    save(tmp_path, range(num_foreign), [10], identity="cnnet/seed-2")
    if num_foreign == 1:
        result = found(tmp_path, 0)
        assert not result.own
        assert isinstance(result.faults[0], ForeignError)
        return
    before = contents(tmp_path)
    with pytest.raises(ForeignError, match=r"'cnnet/seed-2', while this is 'mlp/mnist/seed-1'"):
        restored(tmp_path, 5)
    assert contents(tmp_path) == before


def test_another_model_is_another_run(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    with pytest.raises(ForeignError, match="cnnet/seed-2"):
        restore(
            tmp_path,
            0,
            CLUSTER,
            dimension=DIMENSION + 1,
            identity="cnnet/seed-2",
            contraction=median,
        )


@pytest.mark.parametrize(
    "wrong",
    [lambda rows: rows, lambda rows: rows[0].astype(np.float64), lambda rows: rows[0][:-1]],
)
def test_a_contraction_of_another_kind_is_our_own_fault(tmp_path: Path, wrong) -> None:
    save(tmp_path, EVERYONE, [10])
    with pytest.raises(InvariantError):
        restore(tmp_path, None, CLUSTER, dimension=DIMENSION, identity=IDENTITY, contraction=wrong)


def test_a_median_that_is_not_finite_is_not_restored(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    with pytest.raises(CheckpointError, match="not finite"):
        restore(
            tmp_path,
            None,
            CLUSTER,
            dimension=DIMENSION,
            identity=IDENTITY,
            contraction=lambda rows: np.full_like(rows[0], np.nan),
        )


def test_a_trusted_server_restarts_from_its_newest_valid_file(tmp_path: Path) -> None:
    save(tmp_path, [0], [10, 20, 30], SINGLE)
    damage(tmp_path, 0, 30)
    result = found(tmp_path, 0, SINGLE)
    assert (result.step, result.own) == (20, True)
    assert result.params.tobytes() == params_of(0, 20).tobytes()
