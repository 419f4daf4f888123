"""The observer: what it evaluates, when it has seen enough, and whom it believes."""

import errno
import itertools
import math
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import numpy as np
import pytest
from parts_harness import CLUSTER, server, vector, worker

from guanyu_mpi.aggregation import bind
from guanyu_mpi.cluster import Node
from guanyu_mpi.errors import Fault, InvariantError
from guanyu_mpi.messages import Gradient, Params, Report, Vector
from guanyu_mpi.models import Evaluation
from guanyu_mpi.monitor import WARN_AFTER, Monitor
from guanyu_mpi.observer import Observation, Observer
from guanyu_mpi.protocol.effects import Outcome
from guanyu_mpi.server_distances import LEARNING_LOOKS
from guanyu_mpi.spawn import Spawn, at_once

STEPS = 10


class Watch:
    """An observer with a clock that is set by hand; the loss is the first coordinate."""

    def __init__(self, attackers: Iterable[Node] = (), spawn: Spawn = at_once) -> None:
        self.now_s = 0.0
        self.reported: list[Observation] = []
        self.warned: list[str] = []
        self.observer = Observer(
            CLUSTER,
            evaluate=self._evaluate,
            contraction=bind("median", n=5, f=1),
            attackers=frozenset(attackers),
            steps=STEPS,
            clock_s=lambda: self.now_s,
            monitor=Monitor(CLUSTER, "krum", deviation_max=0.5),
            report=self.reported.append,
            warn=self.warned.append,
            spawn=spawn,
        )

    def _evaluate(self, params: Vector) -> Evaluation:
        self.now_s += 100.0
        return Evaluation(float(params[0]), float(params[1]))

    def sees(self, step: int, values: Iterable[float], first: int = 0) -> None:
        """Params of a step from one server after the other: (value, 0)."""
        for index, value in enumerate(values, first):
            self.observer.deliver(server(index), Params(step, vector(value, 0.0)))

    def hears(self, step: int, noise: float = 1.0, norm: float = 1.0) -> None:
        """Reports of a step from a quorum."""
        for index in range(5):
            report = vector(noise, norm, 1.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, -1.0)
            self.observer.deliver(server(index), Report(step, report))

    def evaluates(self, step: int, values: Iterable[float], at_s: float = 0.0) -> Observation:
        self.now_s = at_s
        self.sees(step, values)
        self.observer.compute()
        return self.reported[-1]


def test_it_evaluates_at_the_median_of_a_quorum() -> None:
    watch = Watch()
    watch.sees(4, [1.0, 2.0, 3.0, 50.0, 1e9])
    watch.observer.compute()
    assert [seen.loss for seen in watch.reported] == [3.0]


def test_it_has_nothing_to_do_before_a_quorum() -> None:
    watch = Watch()
    watch.sees(4, [1.0] * 4)
    assert not watch.observer.busy
    watch.sees(4, [1.0], first=4)
    assert watch.observer.busy


def test_the_first_q_servers_are_the_quorum() -> None:
    watch = Watch()
    for index in (5, 3, 1, 0, 4, 2):
        watch.observer.deliver(server(index), Params(4, vector(index, 0.0)))
    watch.observer.compute()
    assert watch.reported[0].quorum == tuple(server(index) for index in (0, 1, 3, 4, 5))
    assert watch.reported[0].loss == 3.0


def test_a_second_word_of_a_server_does_not_count() -> None:
    watch = Watch()
    for _ in range(9):
        watch.observer.deliver(server(0), Params(4, vector(1.0, 0.0)))
    assert not watch.observer.busy


def test_the_newest_step_is_evaluated_and_older_ones_are_forgotten() -> None:
    """It cannot be made to work off a queue: nobody waits for it, and it waits for nobody."""
    watch = Watch()
    watch.sees(4, [1.0] * 5)
    watch.sees(8, [2.0] * 5)
    watch.observer.compute()
    assert [seen.step for seen in watch.reported] == [8]
    assert not watch.observer.busy
    watch.sees(4, [1.0] * 6)
    assert not watch.observer.busy


def test_what_it_reports_is_the_last_that_it_saw() -> None:
    watch = Watch()
    assert watch.observer.last is None
    seen = watch.evaluates(4, [1.0] * 5)
    assert watch.observer.last is seen


def test_time_is_when_the_step_was_seen_not_when_it_was_evaluated() -> None:
    assert Watch().evaluates(4, [1.0] * 5, at_s=7.0).time_s == 7.0


def test_drift_is_the_largest_distance_between_servers_in_any_coordinate() -> None:
    watch = Watch()
    rows = [(0.0, 1.0), (0.5, 1.0), (0.25, 4.0), (0.0, 1.5), (0.0, 1.0)]
    for index, row in enumerate(rows):
        watch.observer.deliver(server(index), Params(4, vector(*row)))
    watch.observer.compute()
    assert watch.reported[0].drift == 3.0


def test_attackers_do_not_count_in_the_drift() -> None:
    watch = Watch(attackers=[server(1), server(5)])
    assert watch.evaluates(4, [1.0, 1e9, 2.0, 1.5, 1.0]).drift == 1.0


def test_it_tells_how_often_each_server_was_far_from_the_others() -> None:
    watch = Watch()
    for step in range(LEARNING_LOOKS):
        assert watch.evaluates(step, [1.0, 1.0, 1.1, 1.0, 9.0]).far == {}
    honest = dict.fromkeys(map(server, range(4)), 0.0)
    assert watch.evaluates(7, [1.0, 1.0, 1.1, 1.0, 9.0]).far == {**honest, server(4): 1.0}
    assert watch.evaluates(8, [1.0, 1.0, 1.1, 1.0, 1.0]).far == {**honest, server(4): 0.5}


def test_a_liar_who_is_alone_at_a_step_does_not_say_what_is_usual() -> None:
    watch = Watch()
    # Votes of a later step stand in for those of this one.
    watch.sees(1, [1e30])
    watch.sees(2, [1.0, 1.0, 1.1, 1.0], first=1)
    watch.observer.compute()
    for step in range(3, 3 + LEARNING_LOOKS):
        watch.evaluates(step, [1.0, 1.0, 1.1, 1.0, 9.0])
    assert watch.evaluates(9, [1.0, 1.0, 1.1, 1.0, 9.0]).far[server(4)] == 1.0


def test_nor_does_one_of_few_at_a_step() -> None:
    watch = Watch()
    watch.sees(1, [1e30, 1.0, 1.1, 1.0])
    watch.sees(2, [1.0], first=4)
    watch.observer.compute()
    for step in range(3, 3 + LEARNING_LOOKS):
        watch.evaluates(step, [1.0, 1.0, 1.1, 1.0, 9.0])
    assert watch.evaluates(9, [1.0, 1.0, 1.1, 1.0, 9.0]).far[server(4)] == 1.0


def test_there_is_no_drift_without_honest_servers() -> None:
    watch = Watch(attackers=[server(index) for index in range(6)])
    assert math.isnan(watch.evaluates(4, [1.0] * 5).drift)


def test_updates_per_second_are_counted_since_the_observation_before() -> None:
    watch = Watch()
    assert watch.evaluates(0, [1.0] * 5, at_s=10.0).updates_per_s is None
    assert watch.evaluates(6, [1.0] * 5, at_s=12.0).updates_per_s == 3.0
    assert watch.evaluates(7, [1.0] * 5, at_s=16.0).updates_per_s == 0.25


def test_no_time_between_observations_is_no_rate() -> None:
    watch = Watch()
    watch.evaluates(0, [1.0] * 5, at_s=10.0)
    assert watch.evaluates(6, [1.0] * 5, at_s=10.0).updates_per_s is None


def test_it_halts_after_the_last_step() -> None:
    watch = Watch()
    watch.evaluates(STEPS - 1, [1.0] * 5)
    assert watch.observer.halt is None
    watch.evaluates(STEPS, [1.0] * 5)
    assert watch.observer.halt is not None
    assert watch.observer.halt.outcome is Outcome.FINISHED
    assert watch.observer.halt.step == STEPS


def test_a_byzantine_minority_cannot_make_it_halt() -> None:
    """Servers 4 and 5 claim the last step, over and over; two of the others are at step 4."""
    watch = Watch()
    for _, index in itertools.product(range(9), (4, 5)):
        watch.observer.deliver(server(index), Params(STEPS, vector(0.0, 0.0)))
    watch.sees(4, [1.0] * 2)
    assert not watch.observer.busy
    watch.sees(4, [1.0], first=2)
    watch.observer.compute()
    assert [seen.step for seen in watch.reported] == [4]
    assert watch.observer.halt is None


def test_a_byzantine_minority_cannot_move_the_loss_beyond_the_honest_ones() -> None:
    honest = [1.0, 1.1, 1.2, 1.3]
    for lie in (-1e30, 1e30):
        assert 1.0 <= Watch().evaluates(4, [*honest, lie]).loss <= 1.3


def test_a_bad_frame_is_no_reason_to_do_anything() -> None:
    watch = Watch()
    watch.observer.start()
    watch.observer.reject(server(0), Fault.NON_FINITE)
    assert watch.observer.halt is None
    assert not watch.observer.busy


def test_a_loss_that_overflows_is_no_error() -> None:
    def overflowing(params: Vector) -> Evaluation:
        return Evaluation(float(np.square(params * np.float32(1e30)).sum()), None)

    watch = Watch()
    watch.observer._evaluate = overflowing
    assert watch.evaluates(4, [1e30] * 5).loss == math.inf


def test_an_observation_holds_what_has_been_reported_by_then_and_waits_for_nothing() -> None:
    watch = Watch()
    assert watch.evaluates(0, [1.0] * 5).measured is None
    watch.hears(0, noise=2.0)
    assert not watch.observer.busy
    measured = watch.evaluates(4, [1.0] * 5).measured
    assert measured is not None
    assert (measured.measured_step, measured.deviation, measured.margin) == (0, 2.0, 0.25)


def test_a_warning_is_said_at_once_and_is_in_the_next_observation_alone() -> None:
    watch = Watch()
    for step in range(WARN_AFTER - 1):
        watch.hears(step)
    assert watch.warned == []
    watch.hears(WARN_AFTER)
    (warning,) = watch.warned
    assert warning.startswith("krum's guarantee needs")
    warnings = [watch.evaluates(step, [1.0] * 5).warning for step in (5, 6)]
    assert warnings == [warning, ""]


def test_reports_do_not_make_it_evaluate_or_halt() -> None:
    watch = Watch()
    for step in (0, STEPS - 1):
        watch.hears(step)
    assert not watch.observer.busy
    assert watch.observer.halt is None


def test_it_is_handed_parameters_and_reports_and_nothing_else() -> None:
    with pytest.raises(InvariantError, match="observer-00 was handed a Gradient of worker-00"):
        Watch().observer.deliver(worker(0), Gradient(4, vector(1.0, 0.0)))


def test_evaluating_nothing_is_our_own_fault() -> None:
    with pytest.raises(InvariantError, match="nothing to evaluate"):
        Watch().observer.compute()


class Elsewhere:
    """Evaluations that are over when the test says so."""

    def __init__(self) -> None:
        self.begun: list[tuple[Callable[[], Evaluation], Future[Evaluation]]] = []

    def __call__(self, work: Callable[[], Evaluation]) -> "Future[Evaluation]":
        self.begun.append((work, Future()))
        return self.begun[-1][1]

    def finish(self) -> None:
        work, future = self.begun[-1]
        future.set_result(work())


def test_while_a_long_evaluation_runs_the_last_params_are_taken_and_then_evaluated() -> None:
    elsewhere = Elsewhere()
    watch = Watch(spawn=elsewhere)
    watch.sees(4, [1.0] * 5)
    watch.observer.compute()
    watch.now_s = 7.0
    watch.sees(STEPS, [2.0] * 5)
    watch.now_s = 500.0
    watch.observer.compute()
    assert (watch.reported, watch.observer.busy) == ([], True)
    elsewhere.finish()
    watch.observer.compute()
    watch.observer.compute()
    elsewhere.finish()
    watch.observer.compute()
    assert [(seen.step, seen.loss) for seen in watch.reported] == [(4, 1.0), (STEPS, 2.0)]
    assert watch.observer.halt is not None


def test_an_evaluation_that_times_out_by_itself_has_failed() -> None:
    elsewhere = Elsewhere()
    watch = Watch(spawn=elsewhere)
    watch.sees(4, [1.0] * 5)
    watch.observer.compute()
    # As reading data over a network may.
    elsewhere.begun[-1][1].set_exception(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))
    with pytest.raises(TimeoutError, match="Connection timed out"):
        watch.observer.compute()


def test_the_time_of_a_step_is_when_it_was_seen_and_not_when_there_was_time_for_it() -> None:
    elsewhere = Elsewhere()
    watch = Watch(spawn=elsewhere)
    watch.sees(4, [1.0] * 5)
    watch.observer.compute()
    watch.now_s = 7.0
    watch.sees(6, [2.0] * 5)
    watch.now_s = 500.0
    elsewhere.finish()
    watch.observer.compute()
    watch.observer.compute()
    elsewhere.finish()
    watch.observer.compute()
    assert [seen.time_s for seen in watch.reported] == [0.0, 7.0]
