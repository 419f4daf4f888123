"""What the servers' reports say together, of whom a minority lies."""

import itertools
import math

import numpy as np
import pytest
from parts_harness import CLUSTER, server, worker

from guanyu_mpi.cluster import Cluster
from guanyu_mpi.messages import Report, Vector
from guanyu_mpi.monitor import WARN_AFTER, Measured, Monitor
from guanyu_mpi.resilience import Resilience, to_vector

HUGE = float(np.finfo(np.float32).max)
# Ranks of workers 0 to 4 of 6; of a quorum of 5 with f = 1, the one of rank 4 is not selected.
RANKS = (0, 1, 2, 3, 4)


def said(
    noise: float = 1.0, norm: float = 1.0, ranks: tuple[int, ...] = RANKS, first: int = 0
) -> Vector:
    return to_vector(Resilience(noise, norm, 0.5, 1, ranks), range(first, first + len(ranks)), 6)


def absurd(number: float) -> Vector:
    return np.full(10, number, np.float32)


def monitor(deviation_max: float | None = 0.5, cluster: Cluster = CLUSTER) -> Monitor:
    return Monitor(cluster, "krum", deviation_max)


def tell(to: Monitor, step: int, *reports: Vector, first: int = 0) -> str:
    """Reports of a step from one server after the other; the warnings."""
    return "".join(
        to.offer(server(index), Report(step, report))
        for index, report in enumerate(reports, first)
    )


def measured(by: Monitor) -> Measured:
    assert by.last is not None
    return by.last


def test_nothing_is_measured_before_a_quorum_has_reported() -> None:
    watcher = monitor()
    tell(watcher, 4, *[said()] * 4)
    assert watcher.last is None
    tell(watcher, 4, said(), first=4)
    assert measured(watcher).measured_step == 4


def test_a_trusted_server_is_a_quorum() -> None:
    watcher = monitor(cluster=Cluster(1, 0, 1, 6, 1, 5))
    tell(watcher, 4, said(noise=0.25))
    assert (measured(watcher).deviation, measured(watcher).margin) == (0.25, 2.0)
    assert measured(watcher).selected[worker(4)] == 0.0


def test_figures_are_medians_over_the_servers() -> None:
    watcher = monitor()
    tell(watcher, 0, *(said(noise=noise) for noise in (4.0, 1.0, 2.0, 8.0, 0.5)))
    last = measured(watcher)
    assert (last.deviation, last.margin, last.sin_alpha) == (2.0, 0.25, 4.0)
    assert (last.alignment, last.outlying) == (0.5, 1)


def test_without_a_known_bound_there_is_no_margin_and_no_warning() -> None:
    watcher = monitor(deviation_max=None)
    warnings = [tell(watcher, step, *[said(noise=HUGE)] * 5) for step in range(20)]
    assert set(warnings) == {""}
    assert (measured(watcher).margin, measured(watcher).sin_alpha) == (None, None)
    assert measured(watcher).deviation > 1e30


def test_a_gradient_that_is_lost_in_noise_has_margin_zero() -> None:
    watcher = monitor()
    tell(watcher, 0, *[said(norm=0.0)] * 5)
    assert (measured(watcher).deviation, measured(watcher).margin) == (math.inf, 0.0)


def test_the_warning_says_what_is_needed_what_was_measured_and_since_when() -> None:
    watcher = monitor()
    tell(watcher, 0, *[said(noise=0.25)] * 5)
    warnings = [
        tell(watcher, step, *[said(noise=noise)] * 5) for step, noise in ((10, 4.0), (20, 5.0))
    ]
    assert warnings == ["", ""]
    assert tell(watcher, 30, *[said(noise=6.0)] * 5) == (
        "krum's guarantee needs ||gradient|| > eta sqrt(d) sigma, eta = 2; "
        "measured 0.1 of it since step 10"
    )


def test_it_warns_once() -> None:
    watcher = monitor()
    noises = ([2.0] * WARN_AFTER + [0.1]) * 5
    warnings = [tell(watcher, step, *[said(noise)] * 5) for step, noise in enumerate(noises)]
    assert [step for step, warning in enumerate(warnings) if warning] == [WARN_AFTER - 1]


def test_estimates_that_are_too_noisy_now_and_then_are_no_reason_to_warn() -> None:
    watcher = monitor()
    noises = ([2.0] * (WARN_AFTER - 1) + [0.4]) * 10
    warnings = [tell(watcher, step, *[said(noise)] * 5) for step, noise in enumerate(noises)]
    assert set(warnings) == {""}


@pytest.mark.parametrize("number", [-HUGE, -1.0, 0.0, 1e-40, 1.0, HUGE])
@pytest.mark.parametrize(("noise", "warns"), [(0.4, False), (0.6, True)])
@pytest.mark.parametrize("liar", range(5))
def test_a_byzantine_server_can_neither_cause_nor_hide_a_warning(
    number: float, noise: float, warns: bool, liar: int
) -> None:
    watcher = monitor()
    warnings = []
    for step in range(10):
        reports = [said(noise + honest / 1000) for honest in range(5)]
        reports[liar] = absurd(number)
        warnings.append(tell(watcher, step, *reports))
    assert sum(map(bool, warnings)) == warns
    assert noise <= measured(watcher).deviation <= noise + 0.004


@pytest.mark.parametrize("number", [-HUGE, 0.0, 3.0, HUGE])
def test_a_byzantine_server_cannot_move_a_worker_beyond_what_honest_ones_say(
    number: float,
) -> None:
    watcher = monitor()
    for step in range(10):
        tell(watcher, step, *[said()] * 4, absurd(number))
    assert measured(watcher).rank == {worker(index): float(index) for index in range(5)}
    assert measured(watcher).selected == {
        **{worker(index): 1.0 for index in range(4)},
        worker(4): 0.0,
    }


def test_a_worker_that_few_servers_heard_is_not_judged() -> None:
    """Of those who say that they have, the Byzantine ones could be the most."""
    watcher = monitor()
    tell(watcher, 0, *[said()] * 3, *[said(first=1)] * 2)
    assert worker(0) in measured(watcher).rank
    assert worker(5) not in measured(watcher).rank


def test_selection_and_rank_are_over_all_steps_so_far() -> None:
    watcher = monitor()
    tell(watcher, 0, *[said(ranks=(0, 1, 2, 3, 4))] * 5)
    tell(watcher, 1, *[said(ranks=(4, 3, 2, 1, 0))] * 5)
    assert measured(watcher).rank == dict.fromkeys(measured(watcher).rank, 2.0)
    shares = [measured(watcher).selected[worker(index)] for index in range(5)]
    assert shares == [0.5, 1.0, 1.0, 1.0, 0.5]


def test_a_server_that_claims_the_last_step_does_not_make_it_wait_or_jump() -> None:
    watcher = monitor()
    tell(watcher, 10**6, absurd(HUGE), first=5)
    tell(watcher, 4, *[said()] * 3)
    assert watcher.last is None
    tell(watcher, 4, said(), first=3)
    assert measured(watcher).measured_step == 4


def test_a_second_report_of_a_step_does_not_count() -> None:
    watcher = monitor()
    tell(watcher, 4, *(said(noise=noise) for noise in (1.0, 2.0, 3.0, 4.0)))
    tell(watcher, 4, said(noise=0.5), first=3)
    tell(watcher, 4, said(noise=5.0), first=4)
    assert measured(watcher).deviation == 3.0


def test_a_step_is_measured_once() -> None:
    watcher = monitor()
    tell(watcher, 4, *[said()] * 6)
    tell(watcher, 4, *[said(noise=9.0)] * 6)
    tell(watcher, 2, *[said(noise=9.0)] * 6)
    last = measured(watcher)
    assert (last.measured_step, last.deviation) == (4, 1.0)


def test_a_newer_report_stands_in_for_one_that_was_replaced_on_its_way() -> None:
    watcher = monitor()
    tell(watcher, 8, said(), first=0)
    tell(watcher, 4, *[said()] * 4, first=1)
    assert measured(watcher).measured_step == 4


def test_memory_does_not_grow_with_the_steps() -> None:
    watcher = monitor()
    for step, index in itertools.product(range(100), range(6)):
        tell(watcher, step, said(), first=index)
    assert len(watcher._newest) == CLUSTER.servers
    assert len(watcher._episodes) <= CLUSTER.workers


def test_a_worker_that_has_become_the_farthest_is_suspected_since_then() -> None:
    watcher = monitor()
    for step in range(20):
        ranks = (step % 5, (step + 1) % 5, (step + 2) % 5, (step + 3) % 5, (step + 4) % 5)
        tell(watcher, step, *[said(ranks=ranks)] * 5)
    assert measured(watcher).suspected == {}
    for step in range(20, 40):
        tell(watcher, step, *[said()] * 5)
    (suspected,) = measured(watcher).suspected.items()
    assert suspected[0] == worker(4)
    assert (suspected[1].since, suspected[1].until, suspected[1].lasting) == (20, 39, True)


def test_who_is_a_clear_outlier_is_suspected_twice_as_soon() -> None:
    watcher = monitor()
    for step in range(10):
        tell(watcher, step, *[said()] * 5)
    # `said` reports one clear outlier.
    assert measured(watcher).strayed[worker(4)] == 1.0
    assert measured(watcher).suspected[worker(4)].clear


@pytest.mark.parametrize("number", [-HUGE, 0.0, 4.0, HUGE])
def test_a_byzantine_server_can_neither_accuse_nor_excuse_a_worker(number: float) -> None:
    watcher = monitor()
    for step in range(40):
        tell(watcher, step, *[said()] * 4, absurd(number))
    assert list(measured(watcher).suspected) == [worker(4)]
    assert measured(watcher).strayed == {worker(index): float(index == 4) for index in range(5)}
