"""Momentum at the workers: what it is for, and that no restart or replay changes a bit of it."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from replay_runs import HARD, Killed, config, overwrite, replay, run

from guanyu_mpi.checkpoint import Writers, path_of, read
from guanyu_mpi.checkpoint.momentum import MomentumStore, momentum_path, momentum_steps
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config, run_identity
from guanyu_mpi.journal import rank_log
from guanyu_mpi.messages import Gradient
from guanyu_mpi.metrics import read_events
from guanyu_mpi.run_dir import checkpoint_dir, prepare_run_dir
from guanyu_mpi.simulation import simulate
from guanyu_mpi.trace import params_digest, read_segments, trace_path
from guanyu_mpi.transport.participant import Participant

STEPS = 40
MOMENTUM = {**HARD["train"], "momentum": 0.9}
# Everybody waits for all, so that arrival decides nothing.
FULL: dict[str, Mapping[str, object]] = {
    "cluster": {"servers": 3, "workers": 3},
    "attack": {},
    "simulation": {},
    "train": MOMENTUM,
}
SERVERS = tuple(Node(Role.SERVER, index) for index in range(3))
VICTIM = Node(Role.WORKER, 1)


def digests(run_dir: Path) -> set[str]:
    root = checkpoint_dir(run_dir)
    return {params_digest(read(path_of(root, k, STEPS)).params) for k in range(3)}


def killed(of: Config, run_dir: Path, when: Callable[[dict[Node, Participant]], bool]) -> None:
    """A life of a run, to the first event after which this is so."""

    def on_event(participants: dict[Node, Participant]) -> None:
        if when(participants):
            raise Killed

    prepare_run_dir(run_dir, of, fresh=False)
    with pytest.raises(Killed):
        simulate(of, run_dir, on_event)


def all_reached(step: int) -> Callable[[dict[Node, Participant]], bool]:
    return lambda participants: all(participants[server].step >= step for server in SERVERS)


def one_reached(step: int) -> Callable[[dict[Node, Participant]], bool]:
    return lambda participants: participants[VICTIM].step >= step


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    run_dir = tmp_path_factory.mktemp("uninterrupted")
    run(config(**FULL), run_dir)
    return digests(run_dir)


def test_a_run_interrupted_again_and_again_ends_with_the_same_bits(
    tmp_path: Path, uninterrupted: set[str]
) -> None:
    """Also where no worker has heard yet of the step that all servers have just saved."""
    of = config(**FULL)
    for when in (all_reached(8), one_reached(11), all_reached(16), one_reached(30)):
        killed(of, tmp_path, when)
    run(of, tmp_path)
    segments = read_segments(trace_path(tmp_path, of.nodes.rank(VICTIM)))
    assert [segment.header.step for segment in segments] == [0, 8, 8, 16, 24]
    assert all(segment.header.digest for segment in segments[1:])
    assert digests(tmp_path) == uninterrupted
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output


def test_without_its_file_a_worker_begins_anew_and_the_run_ends_elsewhere(
    tmp_path: Path, uninterrupted: set[str]
) -> None:
    of = config(**FULL)
    killed(of, tmp_path, all_reached(16))
    shutil.rmtree(momentum_path(checkpoint_dir(tmp_path), VICTIM.index, 0).parent)
    run(of, tmp_path)
    events = read_events(rank_log(tmp_path, of.nodes.rank(VICTIM)))
    noted = [(event["step"], event["since"]) for event in events if event["event"] == "momentum"]
    assert noted == [(16, "nothing")]
    assert not digests(tmp_path) & uninterrupted
    # A replay knows of it.
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output


def test_an_attacked_asynchronous_run_is_replayed_through_its_lives(tmp_path: Path) -> None:
    run(config(train=MOMENTUM), tmp_path, killed_at=20)
    # An older momentum than the others': a damaged file is as good as none.
    root = checkpoint_dir(tmp_path)
    newest = momentum_steps(root, VICTIM.index)[0]
    momentum_path(root, VICTIM.index, newest).write_bytes(b"damaged")
    run(config(train={**MOMENTUM, "momentum": 0.5}), tmp_path)
    segments = read_segments(trace_path(tmp_path, 6 + VICTIM.index))
    assert segments[1].header.sources == (VICTIM.index,)
    assert 0 < segments[1].header.step < newest
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("equal to its checkpoint") == 6


def test_single_steps_are_examined_from_the_last_momentum_before_them(tmp_path: Path) -> None:
    of, run_dir = config(**FULL), tmp_path / "run"
    run(of, run_dir)
    without_files = shutil.copytree(run_dir, tmp_path / "without")
    shutil.rmtree(checkpoint_dir(without_files))
    options = ("--from", "33", "--to", "34", "--server", "0")
    from_the_beginning = replay(without_files, *options)
    assert from_the_beginning.exit_code == 0, from_the_beginning.output
    # Only the long way leads over this record.
    for place in (run_dir, without_files):
        overwrite(trace_path(place, 0), Gradient, 3, 0, by=VICTIM.index)
    assert replay(without_files, *options).exit_code == 1
    from_files = replay(run_dir, *options)
    assert from_files.exit_code == 0, from_files.output
    first, *rest = from_files.stdout.splitlines()
    assert first.startswith("begins with the checkpoints of ")
    assert rest
    assert from_the_beginning.stdout.splitlines() == ["begins at the beginning", *rest]


def test_a_momentum_that_the_worker_never_had_is_named(tmp_path: Path) -> None:
    """Sound by itself: as if an earlier life had saved it."""
    of = config(**FULL)
    killed(of, tmp_path, all_reached(16))
    root, identity = checkpoint_dir(tmp_path), run_identity(of)
    store = MomentumStore(
        root, VICTIM.index, dimension=20, identity=identity, keep=3, writers=Writers.of(of.nodes)
    )
    store.write(16, np.ones(20, np.float32))
    run(of, tmp_path)
    result = replay(tmp_path)
    assert result.exit_code == 1
    assert result.stderr == (
        "guanyu: not reproducible: life 2, step 16: worker-01 began with another momentum than "
        "Gradient(15) of worker-01\n"
    )


def loss_of(momentum: float, attackers: int) -> float:
    """What is left after 150 steps of the median, with colluding workers that lie a little."""
    attack = {"name": "alie", "count": attackers, "options": {"z": 1.5}} if attackers else {}
    result = simulate(
        config(
            run={"name": "lies", "steps": 150, "seed": 3},
            cluster={"servers": 1, "workers": 18, "byzantine_workers": 5},
            model={"name": "quadratic", "options": {"dimension": 50, "sigma": 1.0}},
            train={"learning_rate": 0.2, "momentum": momentum},
            aggregation={"gradients": "median"},
            attack={"workers": attack},
            simulation={},
            observe={"every": 150},
        )
    )
    assert result.observation is not None
    return result.observation.loss


def test_momentum_takes_the_room_from_attackers_that_lie_a_little() -> None:
    """El Mhamdi et al., ICLR 2021: honest workers' averages differ less than their gradients."""
    unharmed, harmed, defended = loss_of(0.0, 0), loss_of(0.0, 5), loss_of(0.9, 5)
    assert harmed > 10 * unharmed
    assert defended < harmed / 5
