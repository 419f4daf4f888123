"""Runs whose servers contract every T steps: attacked, slow, killed, continued and replayed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from replay_runs import adopted, config, quorums, replay, run

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config
from guanyu_mpi.messages import Gradient, Message, Update
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.simulation import simulate
from guanyu_mpi.trace import read_segments, trace_path

STEPS = 40
SERVERS = [Node(Role.SERVER, index) for index in range(6)]
# Everybody is waited for, and equally fast or not: the bits are the same.
LOCKSTEP: dict[str, Mapping[str, object]] = {
    "cluster": {"servers": 3, "workers": 3},
    "attack": {},
    "simulation": {},
}


def seldom(every: int = 4, **changes: Mapping[str, object]) -> Config:
    train = {"learning_rate": 0.1, "contract_every": every}
    return config(train=train, **{"checkpoint": {"every": 2 * every}, **changes})


def saved(run_dir: Path, server: int, step: int = STEPS) -> bytes:
    return read(path_of(checkpoint_dir(run_dir), server, step)).params.tobytes()


def begun(run_dir: Path) -> list[int]:
    return [segment.header.step for segment in read_segments(trace_path(run_dir, 0))]


def test_an_attacked_asynchronous_run_is_finished_and_replayed_bit_for_bit(
    tmp_path: Path,
) -> None:
    of = seldom()
    run(of, tmp_path)
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("equal to its checkpoint") == 6
    # And it was one: servers adopted, and later gradients stood in.
    assert sum(adopted(of, tmp_path, server, Update) for server in SERVERS) > 0
    assert any(any(ahead) for s in SERVERS for ahead in quorums(of, tmp_path, s, Gradient))
    exchanged = read_segments(trace_path(tmp_path, 0))[0].tables[Update]
    assert {step % 4 for step in exchanged} == {3}


def test_single_steps_between_contractions_are_examined(tmp_path: Path) -> None:
    run(seldom(), tmp_path)
    result = replay(tmp_path, "--from", "34", "--to", "35", "--server", "2")
    assert result.exit_code == 0, result.output
    heads = [line for line in result.stdout.splitlines() if line.startswith("life")]
    assert [head.split(": ")[1].split()[0] for head in heads] == [
        "gradients", "gradients", "updates"
    ]  # fmt: skip


@pytest.mark.parametrize("killed_at", [24, 25, 27])
def test_a_run_that_is_killed_between_contractions_ends_with_the_same_bits(
    tmp_path: Path, killed_at: int
) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    run(seldom(**LOCKSTEP), unbroken)
    run(seldom(**LOCKSTEP), broken, killed_at=killed_at)
    run(seldom(**LOCKSTEP), broken)
    assert begun(broken)[1] in (16, 24)
    for server in range(3):
        assert saved(broken, server) == saved(unbroken, server)
    assert replay(broken).exit_code == 0


def test_how_often_servers_contract_may_change_between_the_lives_of_a_run(tmp_path: Path) -> None:
    run(seldom(every=5), tmp_path, killed_at=18)
    run(seldom(every=4), tmp_path, killed_at=31)
    run(config(), tmp_path)
    first, second, third = begun(tmp_path)
    assert (first, second % 10, third % 8) == (0, 0, 0)
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output


def test_a_run_that_is_killed_between_contractions_is_compared_as_far_as_it_was_saved(
    tmp_path: Path,
) -> None:
    run(seldom(), tmp_path, killed_at=22)
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output
    assert "server-00 (its trace ends at 22): step 16" in result.stdout


@pytest.mark.parametrize("attack", ["mute", "reverse", "equivocate", "alie"])
@pytest.mark.parametrize("every", [3, 50])
def test_no_attack_of_a_server_leaves_an_honest_node_behind(attack: str, every: int) -> None:
    of = seldom(every, attack={"servers": {"name": attack, "count": 1}})
    result = simulate(of)
    assert result.unfinished(of) == []


def test_servers_speak_to_each_other_of_contractions_alone() -> None:
    """All other updates their peers would refuse, and count against them."""
    of, spoken = seldom(3), set[int]()

    def on_send(node: Node, _: Sequence[Node], message: Message) -> None:
        if node not in of.attackers and isinstance(message, Update):
            spoken.add(message.step)

    simulate(of, on_send=on_send)
    assert spoken == {step for step in range(STEPS) if of.contractions.at(step)}
