"""State-files: what a rank says of itself, and what is read of it."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from parts_harness import CLUSTER, server, vector, worker
from state_harness import Part

from guanyu_mpi.cluster import OBSERVER, Node
from guanyu_mpi.messages import Gradient, Params, Update
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.protocol.quorum import Wait
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore
from guanyu_mpi.state import (
    Missing,
    State,
    clear_state,
    listed,
    missing,
    read_states,
    stack_path,
    state_of,
    state_path,
    write_state,
)
from guanyu_mpi.transport.traffic import Traffic

SERVER = server(2)
QUIET = Traffic()


def state(part: Part, node: Node = SERVER, traffic: Traffic = QUIET) -> State:
    return state_of(node, CLUSTER, part, traffic, still_s=7.25, answers=3)  # type: ignore[arg-type]


def test_a_state_says_which_quorum_is_missing_whom() -> None:
    assert str(state(Part())) == (
        "server-02 waits at step 41 for Gradient(41): has worker-00, -02, -03 (3 of 5); "
        "missing worker-01, -04, -05"
    )


def test_who_computes_or_has_ended_waits_for_nobody() -> None:
    part = Part()
    part.waits_for, part.busy = (), True
    assert str(state(part, worker(1))) == "worker-01 computes at step 41"
    part.halt = Halt(Outcome.DIVERGED, 41, "not finite")
    assert str(state(part, worker(1))) == "worker-01 diverged at step 41"


@pytest.mark.parametrize("kind", [Params, Update])
def test_parameters_and_updates_are_missing_of_servers(kind: type[Params] | type[Update]) -> None:
    found = missing(Wait(kind, 3, 5, (server(0),)), CLUSTER)
    assert found.voted == ("server-00",)
    assert found.missing == tuple(f"server-{index:02d}" for index in range(1, 6))


def test_messages_on_their_way_and_bad_frames_are_told() -> None:
    traffic = Traffic([worker(1), OBSERVER], [worker(0)], [server(4)], [server(5)], 17)
    said = state(Part(), traffic=traffic)
    assert said.sending == ("observer-00", "worker-01")
    assert said.receiving == ("worker-00",)
    assert said.gone == ("server-04",)
    assert said.left == ("server-05",)
    assert said.replaced == 17
    assert said.dropped == {"worker-05 size": 200}
    assert (said.still_s, said.answers) == (7.25, 3)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "nobody"),
        (["server-03"], "server-03"),
        (["server-00", "server-02", "worker-01", "worker-11"], "server-00, -02, worker-01, -11"),
    ],
)
def test_a_list_of_nodes_says_a_role_once(names: list[str], text: str) -> None:
    assert listed(names) == text


def test_what_a_rank_says_is_read_again(tmp_path: Path) -> None:
    said = state(Part())
    write_state(tmp_path, said)
    assert read_states(tmp_path, CLUSTER) == [said]
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["rank-002.json"]


def test_what_was_said_in_an_earlier_life_can_be_cleared(tmp_path: Path) -> None:
    clear_state(tmp_path, 2)
    write_state(tmp_path, state(Part()))
    stack_path(tmp_path, 2).touch()
    clear_state(tmp_path, 2)
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'{"rank": 2, "node": "serv',
        b"\xff",
        b"[]",
        b'{"rank": 2}',
        json.dumps({**dataclasses.asdict(state(Part())), "rank": 3}).encode(),
        json.dumps({**dataclasses.asdict(state(Part())), "node": "server-03"}).encode(),
        json.dumps({**dataclasses.asdict(state(Part())), "step": "soon"}).encode(),
        json.dumps({**dataclasses.asdict(state(Part())), "waits_for": [1]}).encode(),
    ],
)
def test_a_file_that_is_not_a_ranks_own_word_says_nothing(tmp_path: Path, text: bytes) -> None:
    write_state(tmp_path, state(Part()))
    state_path(tmp_path, 2).write_bytes(text)
    write_state(tmp_path, state(Part(), server(3)))
    assert [said.node for said in read_states(tmp_path, CLUSTER)] == ["server-03"]


class First:
    """Combines a quorum to its first vector."""

    products = None

    def gather(self) -> "First":
        return self

    def add(self, _: object, /) -> None:
        """Nothing."""

    def combine(self, vectors: tuple[np.ndarray, ...], /) -> np.ndarray:  # type: ignore[type-arg]
        return vectors[0]


def server_core(steps: int = 9) -> ServerCore:
    return ServerCore(
        server(2),
        CLUSTER,
        params=vector(0.0),
        step=0,
        steps=steps,
        rate=lambda _: 0.1,
        gar=First(),
        contraction=First(),
    )


def waits(core: ServerCore | WorkerCore) -> list[Missing]:
    return [missing(wait, CLUSTER) for wait in core.waits_for]


def test_a_server_waits_for_gradients_then_for_updates() -> None:
    core = server_core()
    core.start()
    for index in range(5):
        core.receive(worker(index), Gradient(0, vector(1.0)))
        assert len(core.waits_for) == (2 if index < 4 else 1)
    (updates,) = waits(core)
    assert (updates.kind, updates.step, updates.voted) == ("Update", 0, ("server-02",))
    for index in (0, 1, 3, 4):
        core.receive(server(index), Update(0, vector(1.0)))
    gradients, updates = waits(core)
    assert (gradients.kind, gradients.step, gradients.voted) == ("Gradient", 1, ())
    assert (updates.kind, updates.step, updates.voted) == ("Update", 1, ())


def test_a_vote_for_a_later_step_is_told_as_one() -> None:
    core = server_core()
    core.receive(worker(3), Gradient(4, vector(1.0)))
    assert waits(core)[0].voted == ("worker-03",)


def test_a_server_that_has_halted_waits_for_nobody() -> None:
    core = server_core(steps=0)
    core.start()
    assert core.waits_for == ()


def test_a_worker_waits_for_params_unless_it_computes() -> None:
    core = WorkerCore(worker(0), CLUSTER, steps=9, contraction=First())
    for index in range(5):
        (wait,) = waits(core)
        assert (wait.kind, wait.step, len(wait.voted)) == ("Params", 0, index)
        core.receive(server(index), Params(0, vector(1.0)))
    assert core.waits_for == ()
    core.receive(worker(0), Gradient(0, vector(1.0)))
    (wait,) = waits(core)
    assert (wait.step, wait.voted) == (1, ())
