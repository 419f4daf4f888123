"""Writing beside the training: who offers does not wait, and servers skip the same steps."""

import doctest
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import numpy as np
import pytest
from checkpoint_runs import CLUSTER, Disk, Heard, params_of
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.checkpoint import Writers, election, restore_step
from guanyu_mpi.checkpoint.election import AHEAD_MAX, retained
from guanyu_mpi.checkpoint.writer import Writer
from guanyu_mpi.errors import CheckpointError, InvariantError
from guanyu_mpi.messages import Vector
from guanyu_mpi.spawn import at_once

PARAMS = params_of(0, 0)
FULL = CheckpointError("No space left on device")


class Desk:
    """A writer whose disk writes when it is told to."""

    def __init__(self) -> None:
        self.disk, self.heard = Disk(), Heard()
        self.writer = Writer(
            self.disk.write, spawn=self.disk.spawn, told=self.heard, clock_s=lambda: 0.0
        )

    def finish(self, fault: Exception | None = None) -> None:
        self.disk.finish(fault)
        self.writer.look()


def test_who_offers_does_not_wait_for_a_slow_disk() -> None:
    released, written = threading.Event(), []

    def write(step: int, params: Vector) -> None:
        assert released.wait(60)
        written.append(step)

    with ThreadPoolExecutor(1) as thread:
        writer = Writer(write, spawn=thread.submit, told=Heard(), clock_s=lambda: 0.0)
        for step in (10, 20, 30):
            writer.offer(step, PARAMS)
        assert written == []
        assert not writer.look()
        released.set()
        while not writer.look():
            pass
    assert written == [10, 20]
    assert writer.newest == 20


def test_here_and_now_nothing_is_skipped() -> None:
    written: list[int] = []
    heard = Heard()
    writer = Writer(
        lambda step, _: written.append(step), spawn=at_once, told=heard, clock_s=lambda: 0.0
    )
    for step in (10, 20, 30):
        writer.offer(step, PARAMS)
        assert writer.look()
    assert written == [10, 20, 30]
    assert heard.events == [("saved", 10), ("saved", 20), ("saved", 30)]


@pytest.mark.parametrize(
    ("offered", "begun"),
    [
        ([30, 50], 50),
        ([30, 40], 40),
        ([20, 30], 20),
        ([20, 30, 40, 50, 60, 70], 40),
        ([20, 60], 60),
        ([30], 30),
    ],
)
def test_of_what_comes_while_one_waits_the_rounder_is_written_then_the_newer(
    offered: list[int], begun: int
) -> None:
    desk = Desk()
    for step in (10, *offered):
        desk.writer.offer(step, PARAMS)
    assert desk.disk.step == 10
    desk.finish()
    assert desk.disk.step == begun
    desk.finish()
    assert desk.disk.step == 0
    assert desk.heard.events == [("saved", 10), ("saved", begun)]


def test_what_must_be_written_is_replaced_by_nothing_but_its_like() -> None:
    desk = Desk()
    desk.writer.offer(10, PARAMS)
    desk.writer.offer(16, PARAMS)
    desk.writer.offer(17, PARAMS, at_any_rate=True)
    desk.writer.offer(32, PARAMS)
    desk.finish()
    assert desk.disk.step == 17
    desk.writer.offer(19, PARAMS, at_any_rate=True)
    desk.writer.offer(21, PARAMS, at_any_rate=True)
    desk.finish()
    assert desk.disk.step == 21


def test_what_is_being_written_is_not_written_again() -> None:
    desk = Desk()
    desk.writer.offer(10, PARAMS)
    desk.writer.offer(10, PARAMS, at_any_rate=True)
    desk.finish()
    assert desk.writer.look()
    assert desk.heard.events == [("saved", 10)]


def test_examples_in_docstrings_are_true() -> None:
    found = doctest.testmod(election)
    assert found.attempted > 0
    assert found.failed == 0


def test_params_may_change_once_they_are_offered() -> None:
    written: list[Vector] = []
    disk = Disk()
    writer = Writer(
        lambda _, params: written.append(params),
        spawn=disk.spawn,
        told=Heard(),
        clock_s=lambda: 0.0,
    )
    params = params_of(0, 10)
    for step in (10, 20):
        writer.offer(step, params)
        params[:] = -1.0
        params = params_of(0, 20)
    disk.finish()
    writer.look()
    assert [vector.tolist() for vector in written] == [
        params_of(0, step).tolist() for step in (10, 20)
    ]


def test_a_fault_is_told_once_until_something_has_been_saved() -> None:
    desk = Desk()
    for step, fault in ((10, FULL), (20, FULL), (30, None), (40, FULL)):
        desk.writer.offer(step, PARAMS)
        assert desk.disk.step == step
        desk.finish(fault)
        assert desk.writer.fault == (str(FULL) if fault else "")
    assert desk.heard.events == [("not-saved", 10), ("saved", 30), ("not-saved", 40)]
    assert desk.writer.newest == 30


def test_what_waits_is_written_after_a_fault() -> None:
    desk = Desk()
    desk.writer.offer(10, PARAMS)
    desk.writer.offer(20, PARAMS)
    desk.finish(FULL)
    assert desk.disk.step == 20
    desk.finish()
    assert (desk.writer.newest, desk.writer.fault) == (20, "")


@pytest.mark.parametrize("spawn", [at_once, ThreadPoolExecutor(1).submit])
def test_our_own_fault_ends_the_run(spawn: object) -> None:
    def write(step: int, params: Vector) -> None:
        raise InvariantError(str(step))

    writer = Writer(write, spawn=spawn, told=Heard(), clock_s=lambda: 0.0)
    with pytest.raises(InvariantError, match="10"):
        writer.offer(10, PARAMS)
        while not writer.look():
            pass


def test_how_long_saving_takes_is_known_however_late_somebody_looks() -> None:
    now_s, took_s = 0.0, {10: 2.0, 20: 5.0, 30: 1.0}

    def write(step: int, _: Vector) -> None:
        nonlocal now_s
        now_s += took_s[step]
        if step == 20:
            raise FULL

    with ThreadPoolExecutor(1) as thread:
        writer = Writer(write, spawn=thread.submit, told=Heard(), clock_s=lambda: now_s)
        for step in took_s:
            writer.offer(step, PARAMS)
            # The only thread is free again once it has written.
            thread.submit(lambda: None).result()
            now_s += 300.0
            assert writer.look()
    assert writer.longest_s == 5.0


class Machine:
    """Servers that train in step, each with a disk of its own, tick by tick: a step each.

    A write takes up to `slowest` ticks, and a checkpoint is due every `every`. Directories are
    tidied as soon as there is a new file, by what a server must not remove.
    """

    def __init__(self, random: Random, every: int, slowest: int) -> None:
        self.random, self.every, self.slowest = random, every, slowest
        self.speeds = [random.choice([1, slowest]) for _ in range(CLUSTER.servers)]
        self.present: dict[int, set[int]] = {server: set() for server in range(CLUSTER.servers)}
        self.desks = [Desk() for _ in range(CLUSTER.servers)]
        self.ends = [0] * CLUSTER.servers  # when what is being written will be
        self.begun = [0] * CLUSTER.servers

    def tick(self, now: int) -> None:
        for server, desk in enumerate(self.desks):
            if desk.disk.step and now >= self.ends[server]:
                self.present[server].add(desk.disk.step)
                kept = retained(self.present, server, 2, Writers.of(CLUSTER), 0)
                self.present[server] &= kept
                desk.disk.finish()
            if now % self.every == 0:
                desk.writer.offer(now, PARAMS)
            else:
                desk.writer.look()
            if desk.disk.step > self.begun[server]:
                self.begun[server] = desk.disk.step
                self.ends[server] = now + self.random.randint(1, self.speeds[server])

    def restorable(self) -> int:
        return restore_step(self.present, CLUSTER.server_quorum) or 0


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_a_kill_costs_an_interval_and_a_write_or_four_writes(
    seed: int, every: int, slowest: int
) -> None:
    machine = Machine(Random(seed), every, slowest)
    bound = every + slowest if slowest <= every else 4 * slowest
    before = 0
    for now in range(1, 6 * (every + slowest)):
        machine.tick(now)
        found = machine.restorable()
        assert before <= found
        assert now - found < bound
        before = found
    assert before > 0
    assert max(len(steps) for steps in machine.present.values()) <= 1 + AHEAD_MAX + 2


def test_params_are_copied_once_and_only_if_they_may_be_written() -> None:
    """What is not going to be written costs the training nothing."""
    copies: list[int] = []

    class Watched(np.ndarray):
        def copy(self, order: str = "C") -> np.ndarray:
            copies.append(len(self))
            return super().copy(order)

    desk = Desk()
    for step in (10, 20, 30, 40, 50):
        desk.writer.offer(step, PARAMS.view(Watched))
    assert len(copies) == 3
