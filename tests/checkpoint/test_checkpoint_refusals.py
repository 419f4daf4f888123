"""What is not restored without a word, and what is taken when the user says so all the same."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from checkpoint_runs import (
    CLUSTER,
    DIMENSION,
    LARGER,
    contents,
    damage,
    median,
    params_of,
    restored,
    save,
    store_of,
)

from guanyu_mpi.checkpoint import (
    Election,
    accept_fewer,
    path_of,
    resume,
    scan,
)
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.errors import CheckpointError


def accept(root: Path, cluster: Cluster = CLUSTER) -> Election | None:
    stores = [store_of(root, server, cluster) for server in range(cluster.servers)]
    return accept_fewer(stores, median)


def too_few(root: Path, holders: int) -> None:
    """So many servers hold step 20, and nobody holds any other."""
    save(root, range(6), [10, 20])
    for server in range(6):
        damage(root, server, 10)
        if server >= holders:
            damage(root, server, 20)


def as_version(root: Path, server: int, step: int, version: int) -> None:
    with h5py.File(path_of(root, server, step), "r+") as file:
        file.attrs["format"] = np.bytes_(f"guanyu_mpi checkpoint {version}".encode())


def test_files_of_a_later_version_are_refused_in_one_line(tmp_path: Path) -> None:
    save(tmp_path, range(6), [10, 20])
    for server in range(6):
        as_version(tmp_path, server, 20, 99)
    before = contents(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        restored(tmp_path, 0)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path_of(tmp_path, 0, 20)}: its format is 'guanyu_mpi checkpoint 99'")
    assert line.endswith("update it to continue this run")
    assert contents(tmp_path) == before


def test_a_liar_cannot_stop_a_run_by_a_later_version(tmp_path: Path) -> None:
    save(tmp_path, range(6), [10, 20])
    as_version(tmp_path, 3, 20, 99)
    result = restored(tmp_path, 3)
    assert result is not None
    assert (result.step, result.own, len(result.faults)) == (20, False, 1)


def test_another_size_of_the_model_is_refused_in_one_line(tmp_path: Path) -> None:
    """A factory of the same name may make another module."""
    save(tmp_path, range(6), [10])
    before = contents(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        restored(tmp_path, 0, dimension=DIMENSION + 1)
    assert str(caught.value) == (
        f"{path_of(tmp_path, 0, 10)}: holds 16 params, while the model has 17"
    )
    assert contents(tmp_path) == before


def test_one_step_can_be_asked_for(tmp_path: Path) -> None:
    save(tmp_path, range(6), [10, 20])
    result = restored(tmp_path, None, step=10)
    assert result is not None
    assert result.step == 10
    assert (result.params == median(np.stack([params_of(s, 10) for s in range(6)]))).all()
    assert restored(tmp_path, None, step=15) is None


def test_a_step_that_too_few_hold_is_not_given(tmp_path: Path) -> None:
    save(tmp_path, range(6), [10, 20])
    for server in range(4):
        damage(tmp_path, server, 10)
    with pytest.raises(CheckpointError, match="no step can be restored"):
        restored(tmp_path, None, step=10)


@pytest.mark.parametrize(
    ("holders", "doubt"),
    [
        (
            1,
            "step 20 is the median of 1 file, of which byzantine_servers = 1 may have been made "
            "up: all of them may be lies; 3 are needed",
        ),
        (
            2,
            "step 20 is the median of 2 files, of which byzantine_servers = 1 may have been made "
            "up: their median may be a lie; 3 are needed",
        ),
    ],
)
def test_fewer_than_it_takes_are_accepted_if_the_user_says_so(
    tmp_path: Path, holders: int, doubt: str
) -> None:
    too_few(tmp_path, holders)
    with pytest.raises(CheckpointError, match="--accept-fewer starts from the median of the"):
        restored(tmp_path, 5)
    accepted = accept(tmp_path)
    assert accepted is not None
    assert accepted.doubt == doubt
    expected = median(np.stack([params_of(server, 20) for server in range(holders)]))
    stores = [store_of(tmp_path, server) for server in range(6)]
    for store in stores:
        result = resume(store, median)
        assert result is not None
        assert (result.step, result.own, result.faults) == (20, True, ())
        assert (result.params == expected).all()
    assert accept(tmp_path) is None


def test_what_enough_servers_hold_is_not_touched_by_accepting_fewer(tmp_path: Path) -> None:
    save(tmp_path, range(6), [10, 20])
    for server in range(3):
        damage(tmp_path, server, 10)
        damage(tmp_path, server, 20)
    before = contents(tmp_path)
    assert accept(tmp_path) is None
    assert contents(tmp_path) == before


def test_where_nothing_is_valid_there_is_nothing_to_accept(tmp_path: Path) -> None:
    too_few(tmp_path, 0)
    before = contents(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        accept(tmp_path)
    assert "--accept-fewer" not in str(caught.value)
    assert contents(tmp_path) == before


def test_accepting_takes_the_step_that_most_servers_hold(tmp_path: Path) -> None:
    save(tmp_path, range(9), [10, 20, 30], LARGER)
    for server in range(9):
        for step in (10, 20, 30):
            if (server, step) not in {(0, 10), (1, 10), (0, 20), (1, 20), (2, 30)}:
                damage(tmp_path, server, step)
    accepted = accept(tmp_path, LARGER)
    assert accepted is not None
    assert (accepted.step, accepted.holders, accepted.needed) == (20, (0, 1), 5)
    # A newer one that fewer held is set aside, not removed.
    assert 30 not in scan(tmp_path)[8]
    assert path_of(tmp_path, 8, 30).with_name("step-000000030.h5.abandoned").exists()
