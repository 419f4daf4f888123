"""Directories rewritten by somebody who knows the format: valid files of wrong parameters."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from checkpoint_runs import (
    CLUSTER,
    DIMENSION,
    IDENTITY,
    LARGER,
    damage,
    found,
    median,
    params_of,
    save,
    store_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guanyu_mpi.assembly import Assembly
from guanyu_mpi.checkpoint import begin, path_of, read, resume, scan
from guanyu_mpi.checkpoint.restore import StrayError
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.journal import rank_log
from guanyu_mpi.messages import Vector
from guanyu_mpi.metrics import read_events
from guanyu_mpi.simulation import simulate

LIE = np.full(DIMENSION, -1e30, np.float32)


def rewrite(root: Path, server: int, step: int, params: Vector, cluster: Cluster) -> None:
    """Put a file in place that an honest store might have written."""
    store_of(root, server, cluster).write(step, params)
    assert (read(path_of(root, server, step), DIMENSION, IDENTITY).params == params).all()


@pytest.mark.parametrize("lie", [LIE, -LIE, params_of(2, 20) + 5, params_of(2, 10)])
def test_a_server_whose_valid_file_strays_takes_the_median(tmp_path: Path, lie: Vector) -> None:
    save(tmp_path, range(6), [10, 20])
    rewrite(tmp_path, 2, 20, lie, CLUSTER)
    result = found(tmp_path, 2)
    assert (result.step, result.own) == (20, False)
    honest_nd = np.stack([params_of(server, 20) for server in (0, 1, 3, 4, 5)])
    assert (result.params >= honest_nd.min(axis=0)).all()
    assert (result.params <= honest_nd.max(axis=0)).all()
    (fault,) = result.faults
    assert isinstance(fault, StrayError)
    assert fault.path == path_of(tmp_path, 2, 20)
    assert fault.reason.startswith("differs from the others': up to ")


def test_an_honest_file_beside_one_that_strays_is_taken_bit_for_bit(tmp_path: Path) -> None:
    save(tmp_path, range(6), [10])
    rewrite(tmp_path, 2, 10, LIE, CLUSTER)
    for server in (0, 1, 3, 4, 5):
        result = found(tmp_path, server)
        assert result.own
        assert result.params.tobytes() == params_of(server, 10).tobytes()


def test_a_file_that_strays_is_replaced_once_all_have_read_it(tmp_path: Path) -> None:
    save(tmp_path, range(6), [10])
    rewrite(tmp_path, 2, 10, LIE, CLUSTER)
    store = store_of(tmp_path, 2)
    result = resume(store, median)
    assert (read(path_of(tmp_path, 2, 10)).params == LIE).all()
    assert result is not None
    begin(store, result)
    again = found(tmp_path, 2)
    assert (again.own, again.faults) == (True, ())
    assert (again.params == result.params).all()


def test_servers_that_hold_the_same_go_on_with_it(tmp_path: Path) -> None:
    """As in a run that waits for everybody, or that was restored before."""
    for server in range(6):
        store_of(tmp_path, server).write(10, params_of(0, 10))
    nudged = np.nextafter(params_of(0, 10), np.float32(np.inf))
    rewrite(tmp_path, 3, 10, nudged, CLUSTER)
    for server in range(6):
        result = found(tmp_path, server)
        assert result.own == (server != 3)
        assert result.params.tobytes() == params_of(0, 10).tobytes()


def test_where_nobody_may_lie_every_server_keeps_its_own(tmp_path: Path) -> None:
    trusting = Cluster(3, 0, 3, 3, 0, 3)
    save(tmp_path, range(3), [10], trusting)
    rewrite(tmp_path, 2, 10, LIE, trusting)
    result = found(tmp_path, 2, trusting)
    assert result.own
    assert (result.params == LIE).all()


def roll_back(root: Path, server: int) -> None:
    """The directory as it was before its newest checkpoint."""
    path_of(root, server, 20).unlink()


def tear(root: Path, server: int) -> None:
    path = path_of(root, server, 20)
    path.write_bytes(path.read_bytes()[:1500])


def forge(params: Vector, step: int = 20):
    def deed(root: Path, server: int, cluster: Cluster) -> None:
        rewrite(root, server, step, params, cluster)

    return deed


DEEDS = {
    "missing": lambda root, server, _: shutil.rmtree(path_of(root, server, 0).parent),
    "stale": lambda root, server, _: roll_back(root, server),
    "torn": lambda root, server, _: tear(root, server),
    "bit-flipped": lambda root, server, _: damage(root, server, 20),
    "far": forge(LIE),
    "zero": forge(np.zeros(DIMENSION, np.float32)),
    "at the edge": forge(params_of(0, 20) - 0.5),
    "of another step": forge(params_of(1, 10)),
    "newer": forge(LIE, 30),
    "written by another cluster": lambda root, server, _: rewrite(
        root, server, 10**6, LIE, Cluster(9, 1, 5, 6, 1, 5)
    ),
}


@pytest.mark.parametrize("cluster", [CLUSTER, LARGER], ids=["f = 1", "f = 2"])
@given(data=st.data())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_up_to_f_directories_of_any_kind_leave_the_right_start(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, data: st.DataObject
) -> None:
    """Honest servers go on from their own file, all others among the honest ones' params."""
    if not scan(tmp_path):
        save(tmp_path, range(cluster.servers), [10, 20], cluster)
    root = tmp_path_factory.mktemp("rewritten")
    shutil.copytree(tmp_path, root, dirs_exist_ok=True)
    everyone = st.integers(0, cluster.servers - 1)
    wrong = data.draw(st.sets(everyone, max_size=cluster.byzantine_servers))
    for server in wrong:
        DEEDS[data.draw(st.sampled_from(sorted(DEEDS)))](root, server, cluster)
    honest = set(range(cluster.servers)) - wrong
    honest_nd = np.stack([params_of(server, 20) for server in honest])
    # How far from the honest ones a lie may be that cannot be told from the truth.
    margin = 10 * np.ptp(honest_nd, axis=0).max()
    for server in range(cluster.servers):
        result = found(root, server, cluster)
        assert result.step == 20
        if server in honest:
            assert result.params.tobytes() == params_of(server, 20).tobytes()
        assert (result.params >= honest_nd.min(axis=0) - margin).all()
        assert (result.params <= honest_nd.max(axis=0) + margin).all()


def test_a_changed_layout_is_not_deceived_either(tmp_path: Path) -> None:
    save(tmp_path, range(9), [10, 20], LARGER)
    for server in (0, 1):
        rewrite(tmp_path, server, 20, LIE, LARGER)
    before = scan(tmp_path)
    for server in range(6):
        result = found(tmp_path, server)
        assert (result.step, result.own) == (20, server > 1)
        assert (result.params >= params_of(2, 20)).all()
        assert (result.params <= params_of(8, 20)).all()
    assert scan(tmp_path) == before


# Two of nine servers may be Byzantine; three workers are enough to learn something.
DIGITS: dict[str, dict[str, object]] = {
    "run": {"name": "digits", "steps": 45, "seed": 1},
    "cluster": {"servers": 9, "byzantine_servers": 2, "workers": 3},
    "model": {"name": "mlp"},
    "data": {"name": "mnist-small"},
    "train": {"learning_rate": 0.1, "batch_size": 64},
    "aggregation": {"gradients": "average"},
    "attack": {"servers": {"name": "reverse", "indices": [0, 1]}},
    "checkpoint": {"every": 30},
    "observe": {"every": 15},
}


def digits(steps: int) -> Config:
    return parse_config({**DIGITS, "run": {**DIGITS["run"], "steps": steps}})


def accuracy(run_dir: Path) -> float:
    assembly = Assembly(digits(45), run_dir)
    model = assembly.saves.median_model()
    assert model.step == 45
    found = assembly.objective.evaluate(model.params).accuracy
    assert found is not None
    return found


@pytest.mark.slow
def test_f_hostile_directories_cost_no_accuracy(tmp_path: Path) -> None:
    """Nor do they when two others attack: it may be other servers that a bad node has become."""
    clean, hostile = tmp_path / "clean", tmp_path / "hostile"
    simulate(digits(30), clean)
    shutil.copytree(clean, hostile)
    simulate(digits(45), clean)
    for server in (2, 3):
        path = path_of(hostile / "checkpoints", server, 30)
        store = Assembly(digits(30), hostile).saves.store(Node(Role.SERVER, server))
        assert store is not None
        store.write(30, -100 * read(path).params)
    simulate(digits(45), hostile)
    for server in (2, 3):
        begun = [one for one in read_events(rank_log(hostile, server)) if "sources" in one]
        assert [len(one["sources"]) for one in begun] == [9]
        assert "differs from" in str(begun[0]["faults"])
    assert accuracy(clean) > 0.8
    assert accuracy(hostile) == pytest.approx(accuracy(clean), abs=0.01)
