"""A run and its replay are the same, bit for bit; where they are not, the replay says so."""

import re
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from replay_runs import adopted, config, overwrite, quorums, replay, run

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.messages import Gradient, Message, Params, Update
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.trace import params_digest, read_segments, trace_dir, trace_path
from guanyu_mpi.transport.wire import Element, Frame, encode

STEPS = 40
SERVERS, WORKERS = (tuple(Node(role, k) for k in range(6)) for role in (Role.SERVER, Role.WORKER))


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that none of the tests changes."""
    run_dir = tmp_path_factory.mktemp("hard")
    run(config(), run_dir)
    return run_dir


@pytest.fixture
def copied(hard: Path, tmp_path: Path) -> Path:
    return shutil.copytree(hard, tmp_path / "copied")


def digest(run_dir: Path, server: int, step: int = STEPS) -> str:
    return params_digest(read(path_of(checkpoint_dir(run_dir), server, step)).params)


def test_an_attacked_asynchronous_run_is_replayed_bit_for_bit(hard: Path) -> None:
    result = replay(hard)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{server}: step {STEPS}, sha256 {digest(hard, server.index)}: equal to its checkpoint"
        for server in SERVERS
    ]
    # And it was one: votes stood in, servers adopted, and somebody passed over steps.
    of = config()
    assert any(any(ahead) for s in SERVERS for ahead in quorums(of, hard, s, Update))
    assert any(any(ahead) for s in SERVERS for ahead in quorums(of, hard, s, Gradient))
    assert any(any(ahead) for w in WORKERS for ahead in quorums(of, hard, w, Params))
    assert sum(adopted(of, hard, server, Update) for server in SERVERS) > 0
    assert min(len(quorums(of, hard, server, Update)) for server in SERVERS) < STEPS


@pytest.mark.parametrize(
    ("attack", "rules"),
    [
        ("gaussian", {"gradients": "median"}),
        ("mute", {"gradients": "krum"}),
        ("nan", {"gradients": "geometric-median", "pre": ["nnm"]}),
        ("equivocate", {"gradients": "trimmed-mean", "models": "trimmed-mean"}),
    ],
)
def test_every_attack_and_rule_is_replayed(
    attack: str, rules: dict[str, object], tmp_path: Path
) -> None:
    sides = {"workers": {"name": attack, "count": 1}, "servers": {"name": attack, "count": 1}}
    run(config(attack=sides, aggregation=rules), tmp_path)
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output


def test_one_trusted_server_is_replayed(tmp_path: Path) -> None:
    cluster = {"servers": 1, "workers": 6, "byzantine_workers": 1}
    attack = {"workers": {"name": "reverse", "count": 1}}
    run(config(cluster=cluster, attack=attack, simulation={}), tmp_path)
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output
    assert digest(tmp_path, 0) in result.stdout


def test_a_torch_model_on_real_digits_is_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run(
        config(
            run={"name": "digits", "steps": 6, "seed": 3},
            model={"name": "mlp"},
            data={"name": "mnist-small"},
            checkpoint={"every": 3},
        ),
        tmp_path,
    )
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output
    assert digest(tmp_path, 2, 6) in result.stdout


def test_a_run_that_was_killed_and_continued_is_replayed_through_all_its_lives(
    tmp_path: Path,
) -> None:
    run(config(), tmp_path, killed_at=20)
    run(config(), tmp_path, killed_at=30)
    # What a life runs with is its own.
    train = {"learning_rate": 0.05}
    run(config(train=train), tmp_path)
    segments = read_segments(trace_path(tmp_path, 0))
    begun = [segment.header.step for segment in segments]
    assert 0 == begun[0] < begun[1] < begun[2] < STEPS
    # Each life has passed the step that the next began at, and what came after was given up.
    assert max(segments[0].tables[Update]) >= begun[1]
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("equal to its checkpoint") == 6


def test_a_rank_speaks_for_no_other(tmp_path: Path) -> None:
    """A worker's file that says it is a server's is left out, and nobody honest is blamed."""
    run(config(), tmp_path)
    with h5py.File(trace_path(tmp_path, 8), "r+") as file:
        assert file["life-0001"].attrs["node"] == b"worker-02"
        file["life-0001"].attrs["node"] = np.bytes_(b"server-00")
    result = replay(tmp_path)
    assert "rank-008.h5: life 1 is not of server-00's rank" in result.output
    assert "server-00 began" not in result.output
    assert "nothing in the trace tells of Params" not in result.output


def test_a_server_that_was_restored_from_the_others_is_replayed(tmp_path: Path) -> None:
    run(config(), tmp_path, killed_at=20)
    lost = checkpoint_dir(tmp_path) / "server-03"
    shutil.rmtree(lost)
    run(config(), tmp_path)
    _, second = read_segments(trace_path(tmp_path, 3))
    assert second.header.step > 0
    assert 3 not in second.header.sources
    assert len(second.header.sources) > 1
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output


def test_servers_that_began_with_the_median_of_all_their_files_are_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file of several that were far from the others' is a source for all of them."""
    apart = config(
        cluster={"servers": 9, "byzantine_servers": 2, "workers": 6, "byzantine_workers": 1},
        simulation={"delay": "pareto", "delay_ms_mean": 20.0},
    )
    run(apart, tmp_path, killed_at=28)
    # The module has the name of its function, which hides it.
    monkeypatch.setattr(sys.modules["guanyu_mpi.checkpoint.restore"], "STRAY_MIN", 0.0)
    run(apart, tmp_path)
    seconds = [read_segments(trace_path(tmp_path, server))[1] for server in range(9)]
    began = {k: second.header.sources for k, second in enumerate(seconds)}
    assert sum(k in sources and len(sources) > 1 for k, sources in began.items()) > 1
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output


def test_a_run_that_was_killed_for_good_is_compared_as_far_as_it_was_saved(
    tmp_path: Path,
) -> None:
    run(config(), tmp_path, killed_at=20)
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output
    assert f"server-00 (its trace ends at 20): step 16, sha256 {digest(tmp_path, 0, 16)}" in (
        result.stdout
    )


@pytest.mark.parametrize(
    ("node", "kind"), [(SERVERS[0], Gradient), (SERVERS[3], Update), (WORKERS[4], Params)]
)
def test_one_changed_membership_is_found_at_its_step_and_node(
    copied: Path, node: Node, kind: type[Params]
) -> None:
    path = trace_path(copied, config().nodes.rank(node))
    table = read_segments(path)[0].tables[kind]
    found = (table.get(step) for step in table)
    # Of the attackers' votes, as honest servers may have said the same.
    taken = next(taken for taken in found if taken and taken.step > 5 and 5 in taken.senders)
    (outside,) = set(range(6)) - set(taken.senders)
    overwrite(path, kind, taken.step, 5, by=outside)
    changed = read_segments(path)[0].tables[kind].get(taken.step)
    assert changed is not None
    assert set(changed.senders) == {*taken.senders, outside} - {5}
    result = replay(copied)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    where = f"guanyu: not reproducible: life 1, step {taken.step + (kind is Update)}: "
    was_sent = f"{where}{node} was sent another {kind.__name__}("
    # Or a sender that had not said anything by then.
    impossible = ("nothing in the trace tells of", "which came of it")
    assert line.startswith(was_sent) or any(why in line for why in impossible)


def test_a_vote_that_was_changed_on_its_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flipped bit of the wire or of a memory: no trace tells of it, and the first mark does."""
    flipped: list[Message] = []

    def encode_badly(message: Message, element: Element) -> Frame:
        frame = encode(message, element)
        # The last one's lowest bit: finite still, and close to what it was.
        if isinstance(message, Gradient) and message.step == 9 and not flipped:
            flipped.append(message)
            frame[-4] ^= 1
        return frame

    monkeypatch.setattr("guanyu_mpi.transport.sim.encode", encode_badly)
    run(config(simulation={}), tmp_path)
    assert len(flipped) == 1
    result = replay(tmp_path)
    assert result.exit_code == 1
    told = (
        r"guanyu: not reproducible: life 1, step 9: server-0\d was sent another Gradient\(9\) of "
    )
    assert re.match(told + r"worker-0\d than its trace makes of it\n$", result.stderr)


def test_a_torn_trace_is_said_and_what_it_no_longer_tells_is_named(copied: Path) -> None:
    path = trace_path(copied, 0)
    overwrite(path, Update, 20, 0, by=None)
    assert read_segments(path)[0].torn
    result = replay(copied)
    assert result.exit_code == 1
    assert "rank-000.h5: life 1 is torn after step" in result.stderr
    assert "life 1, step 21: nothing in the trace tells of Params(21) of server-00" in (
        result.stderr
    )


def test_a_rank_without_a_trace_is_named(copied: Path) -> None:
    trace_path(copied, 6 + 3).unlink()
    result = replay(copied)
    assert result.exit_code == 1
    assert "nothing in the trace tells of Gradient(0) of worker-03" in result.stderr


def test_a_checkpoint_that_holds_other_params_differs(copied: Path) -> None:
    """Sound by itself: a server's checkpoint of another run in its place."""
    other = copied.parent / "other"
    run(config(train={"learning_rate": 0.2}), other)
    place = path_of(checkpoint_dir(copied), 4, STEPS)
    shutil.copy(path_of(checkpoint_dir(other), 4, STEPS), place)
    result = replay(copied)
    assert result.exit_code == 1
    assert f"server-04 differs at step {STEPS}: sha256 " in result.stdout
    assert f"its checkpoint {digest(other, 4)}" in result.stdout


def test_single_steps_are_examined_from_the_last_checkpoint_before_them(hard: Path) -> None:
    result = replay(hard, "--from", "33", "--to", "34", "--server", "2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "server-02 at 32" in lines[0]
    heads = [line for line in lines if line.startswith("life")]
    assert heads[0].startswith("life 1 step 33 server-02: gradients of 5 workers")
    assert {head.split()[3] for head in heads} == {"33", "34"}
    row = next(line.split() for line in lines if line.startswith("  worker-05"))
    # The attacker is the farthest of five by every score.
    assert row[3] == "4"


def test_examining_says_the_same_from_a_checkpoint_and_from_the_beginning(copied: Path) -> None:
    options = ("--from", "33", "--to", "36", "--server", "0")
    from_checkpoint = replay(copied, *options)
    shutil.rmtree(checkpoint_dir(copied))
    from_the_beginning = replay(copied, *options)
    first, *rest = from_checkpoint.stdout.splitlines()
    assert first.startswith("begins with the checkpoints of ")
    assert rest
    assert from_the_beginning.stdout.splitlines() == ["begins at the beginning", *rest]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--server", "6"), "--server 6: the run has servers 0 to 5"),
        (("--from", "9", "--to", "8"), "--from 9 --to 8: needs 0 <= from <= to <= 39"),
        (("--to", "40"), "--from 0 --to 40: needs 0 <= from <= to <= 39"),
    ],
)
def test_steps_and_servers_that_the_run_has_not_are_refused(
    hard: Path, options: tuple[str, ...], told: str
) -> None:
    result = replay(hard, *options)
    assert (result.exit_code, result.stderr) == (2, f"guanyu: {told}\n")


def test_a_directory_without_a_trace_or_a_checkpoint_is_refused(
    copied: Path, tmp_path: Path
) -> None:
    assert replay(tmp_path).exit_code == 2
    shutil.rmtree(checkpoint_dir(copied))
    assert "holds no checkpoint to compare with" in replay(copied).stderr
    shutil.rmtree(trace_dir(copied))
    refused = replay(copied)
    assert refused.exit_code == 2
    assert "holds no trace" in refused.stderr
