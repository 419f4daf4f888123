"""What a rank keeps account of: every moment counts once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from parts_harness import CLUSTER, ScriptedCore, server, vector, worker

from guanyu_mpi.account import Account, Activity, Usage
from guanyu_mpi.accounted import shell
from guanyu_mpi.cluster import Role
from guanyu_mpi.journal import Journal, rank_log
from guanyu_mpi.messages import Gradient, Params, Vector
from guanyu_mpi.metrics import read_events
from guanyu_mpi.node import Ports
from guanyu_mpi.protocol.effects import (
    Broadcast,
    Commit,
    ComputeGradient,
    Effect,
    Halt,
    Outcome,
)

USAGE = Usage({"compute": 2.0}, {"compute": 1.0}, 3.0, 4096, 100, 200)


class Clock:
    """Time that passes when it is told to, half of it with a core."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def passes(self, seconds: float) -> None:
        self.now_s += seconds

    def account(self) -> Account:
        return Account(self, lambda: self.now_s / 2)


def spent(account: Account) -> dict[str, float]:
    return {name: s for name, s in account.usage().spent_s.items() if s}


def test_every_moment_counts_for_the_innermost_activity_and_for_no_other() -> None:
    clock = Clock()
    account = clock.account()
    clock.passes(1)
    with account.on(Activity.RECEIVE):
        clock.passes(2)
        with account.on(Activity.AGGREGATE):
            clock.passes(4)
        clock.passes(8)
    clock.passes(16)
    assert spent(account) == {"other": 17, "receive": 10, "aggregate": 4}
    assert sum(spent(account).values()) == account.elapsed_s() == 31


def test_an_activity_that_goes_on_has_been_spent_until_now() -> None:
    clock = Clock()
    account = clock.account()
    with account.on(Activity.COMPUTE):
        clock.passes(3)
        assert spent(account) == {"compute": 3}
        clock.passes(2)
    assert spent(account) == {"compute": 5}


def test_work_is_told_beside_time() -> None:
    clock = Clock()
    account = clock.account()
    with account.on(Activity.SEND):
        clock.passes(8)
    assert account.usage().worked_s["send"] == 4


def test_an_error_ends_its_activity() -> None:
    clock = Clock()
    account = clock.account()
    with pytest.raises(ValueError, match="torn"), account.on(Activity.WRITE):
        raise ValueError("torn")
    clock.passes(1)
    assert spent(account) == {"other": 1}


def test_processor_time_and_memory_are_those_of_the_process() -> None:
    account = Account()
    before = account.usage()
    assert sum(k * k for k in range(200_000))
    after = account.usage()
    assert after.cpu_s > before.cpu_s > 0
    assert 10**7 < before.peak_bytes <= after.peak_bytes < 10**11


def passing(clock: Clock, seconds: float) -> Callable[..., None]:
    return lambda *_: clock.passes(seconds)


def test_core_gradient_send_and_writing_are_told_apart() -> None:
    clock = Clock()
    account = clock.account()

    class SlowCore(ScriptedCore):
        def receive(self, *_: object) -> list[Effect]:
            clock.passes(1)
            return [
                Broadcast(Gradient(1, vector(1.0)), to=Role.SERVER),
                Commit(1, vector(1.0), (), ()),
                ComputeGradient(1, vector(1.0)),
            ]

    def gradient(params: Vector, _: int) -> Vector:
        clock.passes(2)
        return params

    ports = Ports(
        send=passing(clock, 4),
        gradient=gradient,
        estimate=lambda _: None,
        commit=passing(clock, 8),
        rejected=passing(clock, 0),
        halted=passing(clock, 0),
        observe_every=1,
        steps=10,
    )
    node = shell(worker(1), CLUSTER, SlowCore([]), ports, account)
    node.deliver(server(0), Params(1, vector(1.0)))
    assert spent(account) == {"aggregate": 1, "send": 4, "write": 8}
    node.compute()
    # The gradient is handed to the core, which answers as before.
    assert spent(account) == {"aggregate": 2, "compute": 2, "send": 8, "write": 16}


def test_steps_that_are_told_are_told_with_what_was_used_until_then(tmp_path: Path) -> None:
    path = rank_log(tmp_path, 1)
    journal = Journal(path, worker(1), lambda: 1.0, 5, lambda: USAGE)
    journal.gradient(5, 0.5)
    journal.gradient(6, 0.5)
    journal.commit(Commit(10, vector(1.0), (), ()))
    journal.halted(Halt(Outcome.FINISHED, 10, ""))
    events = read_events(path)
    assert [event["event"] for event in events] == ["gradient", "commit", "halted"]
    for event in events:
        assert (event["spent_s"], event["worked_s"]) == ({"compute": 2.0}, {"compute": 1.0})
        assert (event["cpu_s"], event["peak_bytes"]) == (3.0, 4096)
        assert (event["sent_bytes"], event["received_bytes"]) == (100, 200)


def test_without_an_account_nothing_is_told_of_it(tmp_path: Path) -> None:
    path = rank_log(tmp_path, 1)
    Journal(path, worker(1), lambda: 1.0, 5).gradient(5, 0.5)
    (event,) = read_events(path)
    assert "spent_s" not in event
