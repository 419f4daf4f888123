"""What a server saves in a life of a run: which steps, and what is said where it cannot."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from parts_harness import CLUSTER, vector

from guanyu_mpi.checkpoint import Header, Store, path_of, read, scan
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.errors import CheckpointError
from guanyu_mpi.messages import Vector
from guanyu_mpi.protocol.effects import Commit, Halt, Outcome
from guanyu_mpi.saving import Saving
from guanyu_mpi.schedules import bind_schedule
from guanyu_mpi.spawn import at_once

STEPS = 20
EVERY = 6
FULL = "No space left on device"


def config_of(contract_every: int = 1) -> Config:
    return parse_config(
        {
            "run": {"name": "tiny", "steps": STEPS, "seed": 7},
            "cluster": {"servers": 6, "workers": 6},
            "model": {"name": "quadratic", "options": {"dimension": 2}},
            "train": {"learning_rate": 0.5, "schedule": "inverse-time"}
            | {"contract_every": contract_every},
            "checkpoint": {"every": EVERY},
        }
    )


class Server:
    """One server that saves, and what it has told; `faults` are raised instead of writing."""

    def __init__(
        self,
        root: Path,
        spawn: Callable[..., object] = at_once,
        *,
        begun: int = 0,
        contract_every: int = 1,
    ) -> None:
        self.root, self.faults, self.now_s = root, set[int](), 0.0
        self.told: list[tuple[str, int]] = []
        self.store = Store(root, 1, CLUSTER, dimension=2, identity="tiny", keep=9)
        self.write, self.store.write = self.store.write, self._write
        self.saving = Saving(
            config_of(contract_every),
            self.store,
            bind_schedule("inverse-time", 0.5),
            3,
            begun,
            spawn=spawn,
            told=self,
            clock_s=lambda: self.now_s,
        )

    def _write(self, step: int, *args: object) -> Path:
        if step in self.faults:
            raise CheckpointError(FULL)
        return self.write(step, *args)

    def saved(self, step: int) -> None:
        self.told.append(("saved", step))

    def not_saved(self, step: int, reason: str) -> None:
        assert reason == FULL
        self.told.append(("not-saved", step))

    def train(self, steps: int, begin: int = 0) -> None:
        for step in range(begin + 1, steps + 1):
            self.saving.commit(Commit(step, params_of(step), (), ()))

    def concluded(self, outcome: Outcome, step: int, serve: Callable[[], None]) -> Halt:
        return self.saving.conclude(Halt(outcome, step, "why"), serve, timeout_s=60.0)

    def files(self) -> tuple[int, ...]:
        return scan(self.root)[1]


def params_of(step: int) -> Vector:
    return vector(step, -step)


def never() -> None:
    raise AssertionError("there is nothing to wait for")


class SlowDisk:
    """Writes what it is given when it is told to."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def spawn(self, work: Callable[[], object], /) -> "object":
        future: Future[object] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except CheckpointError as error:
                future.set_exception(error)

        self.work.append(run)
        return future

    def run(self) -> None:
        self.work.pop(0)()


def test_checkpoints_are_due_every_kth_step_and_at_the_last(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.train(STEPS)
    assert server.files() == (20, 18, 12, 6)
    assert server.told == [("saved", step) for step in (6, 12, 18, 20)]
    halt = server.concluded(Outcome.FINISHED, STEPS, never)
    assert (halt.outcome, halt.reason) == (Outcome.FINISHED, "why")


def test_a_checkpoint_says_how_and_in_which_life_it_was_made(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.train(EVERY)
    header = read(path_of(tmp_path, 1, EVERY)).header
    assert isinstance(header, Header)
    assert (header.seed, header.schedule, header.life) == (7, "inverse-time", 3)
    assert header.learning_rate == 0.5 / (1 + EVERY / 1000)


def test_training_goes_on_while_a_disk_is_slow(tmp_path: Path) -> None:
    disk = SlowDisk()
    server = Server(tmp_path, disk.spawn)
    server.train(STEPS)
    assert server.files() == ()
    # One was begun, and of those that waited only the last step is written.
    served: list[float] = []

    def serve() -> None:
        served.append(server.now_s)
        server.now_s += 1.0
        disk.run()

    halt = server.concluded(Outcome.FINISHED, STEPS, serve)
    assert halt.outcome is Outcome.FINISHED
    assert len(served) == 2
    assert server.files() == (20, 6)
    assert read(path_of(tmp_path, 1, 20)).params.tolist() == [20, -20]


def test_a_full_disk_is_told_and_training_goes_on(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.faults = {6, 12}
    server.train(STEPS)
    assert server.told == [("not-saved", 6), ("saved", 18), ("saved", 20)]
    assert server.concluded(Outcome.FINISHED, STEPS, never).outcome is Outcome.FINISHED


@pytest.mark.parametrize("outcome", [Outcome.FINISHED, Outcome.LEFT])
def test_who_has_not_saved_its_result_has_failed_and_says_what_is_saved(
    tmp_path: Path, outcome: Outcome
) -> None:
    server = Server(tmp_path)
    server.faults = {18, 20}
    server.train(STEPS)
    halt = server.concluded(outcome, STEPS, never)
    assert (halt.outcome, halt.step) == (Outcome.FAILED, STEPS)
    assert halt.reason == f"step 20 is not saved, step 12 is: {FULL}"
    server = Server(tmp_path / "another")
    server.faults = {6, 12, 18, 20}
    server.train(STEPS)
    halt = server.concluded(outcome, STEPS, never)
    assert halt.reason == f"step 20 is not saved, nothing of this life is: {FULL}"


def test_a_disk_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    server = Server(tmp_path, SlowDisk().spawn)
    server.train(STEPS)

    def serve() -> None:
        server.now_s += 7.0

    halt = server.concluded(Outcome.FINISHED, STEPS, serve)
    assert 60.0 <= server.now_s < 67.0
    assert halt.outcome is Outcome.FAILED
    assert halt.reason.endswith("nothing of this life is: it is still being written")


def test_who_leaves_saves_its_newest_step_due_or_not(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.train(15)
    halt = server.concluded(Outcome.LEFT, 15, never)
    assert (halt.outcome, halt.reason) == (Outcome.LEFT, "why")
    assert server.files() == (15, 12, 6)


def test_who_leaves_does_not_write_twice_what_it_has_saved_or_begun_with(tmp_path: Path) -> None:
    server = Server(tmp_path)
    assert server.concluded(Outcome.LEFT, 0, never).outcome is Outcome.LEFT
    server.train(12)
    assert server.concluded(Outcome.LEFT, 12, never).outcome is Outcome.LEFT
    assert server.told == [("saved", 6), ("saved", 12)]


@pytest.mark.parametrize(("reached", "agreed"), [(16, 15), (15, 15), (14, 12)])
def test_who_leaves_between_contractions_saves_what_followed_from_the_last(
    tmp_path: Path, reached: int, agreed: int
) -> None:
    server = Server(tmp_path, contract_every=3)
    server.train(reached)
    halt = server.concluded(Outcome.LEFT, reached, never)
    assert (halt.outcome, halt.step) == (Outcome.LEFT, agreed)
    assert server.files() == tuple(dict.fromkeys((agreed, 12, 6)))
    assert server.told.count(("saved", agreed)) == 1


def test_who_leaves_before_its_first_contraction_leaves_where_it_began(tmp_path: Path) -> None:
    server = Server(tmp_path, begun=12, contract_every=3)
    server.train(14, begin=12)
    halt = server.concluded(Outcome.LEFT, 14, never)
    assert (halt.outcome, halt.step) == (Outcome.LEFT, 12)
    assert server.told == []


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DIVERGED])
def test_another_end_stays_what_it_is(tmp_path: Path, outcome: Outcome) -> None:
    server = Server(tmp_path)
    server.train(15)
    halt = server.concluded(outcome, 15, never)
    assert (halt.outcome, halt.reason) == (outcome, "why")
    assert server.files() == (12, 6)
