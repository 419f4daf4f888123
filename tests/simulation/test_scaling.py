"""The phase model of benchmarks/scaling against the simulator, whose nodes run the protocol."""

import sys
from dataclasses import asdict, replace
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from guanyu_mpi.bench.report import Machine
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.config import parse_config
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import EventLog
from guanyu_mpi.simulation import simulate
from guanyu_mpi.transport.wire import frame_bytes

# Benchmarks are no package that could be imported.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "scaling"))

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "losses"))

import known_costs
from calibration import MessageCosts, calibrated, least_squares, modelled_s
from known_costs import Known
from lanes import queued
from loss_run import Measured
from phases import Platform, Work, step_s
from recorded import CORES, Recorded, costs_of, recorded
from scaling_plan import Job, jobs
from scaling_table import Compared, Found, Ran, lines
from sent import sent_share

DELAY_MS, PROCESS_MS, COMPUTE_MS = 1.0, 0.125, 8.0
STEPS = 12
SIZE_BYTES, BANDWIDTH = 1000.0, 8e6


def simulated_step_s(cluster: Cluster) -> float:
    """Virtual seconds of a step, from two runs of different lengths."""

    def virtual_s(steps: int) -> float:
        return simulate(
            parse_config(
                {
                    "run": {"name": "phases", "steps": steps},
                    "cluster": asdict(cluster),
                    "model": {"name": "quadratic", "options": {"dimension": 1}},
                    "train": {"learning_rate": 0.1},
                    "observe": {"every": 1000},
                    "simulation": {
                        "delay": "constant",
                        "delay_ms_mean": DELAY_MS,
                        "process_ms": PROCESS_MS,
                        "compute_ms": COMPUTE_MS,
                    },
                }
            )
        ).virtual_s

    return (virtual_s(2 * STEPS) - virtual_s(STEPS)) / STEPS


def modelled_step_s(cluster: Cluster) -> float:
    """The same with every rank on a host of its own."""
    ranks = cluster.servers + cluster.workers
    process_s = PROCESS_MS / 1e3
    return step_s(
        cluster,
        SIZE_BYTES,
        Platform(np.arange(ranks), np.full(ranks, np.inf), 1, DELAY_MS / 1e3),
        Work(COMPUTE_MS / 1e3, 0.0, 0.0, 0.0, process_s, process_s),
    )


@pytest.mark.parametrize(
    "cluster", [Cluster(6, 0, 6, 7, 0, 7), Cluster(6, 1, 5, 18, 5, 13), Cluster(1, 0, 1, 9, 0, 9)]
)
def test_a_step_takes_as_long_as_in_the_simulator(cluster: Cluster) -> None:
    assert modelled_step_s(cluster) == pytest.approx(simulated_step_s(cluster), rel=0.02)


def test_a_card_of_which_all_must_make_use_takes_all_their_bytes() -> None:
    """n' gradients into a server, then n - 1 updates; nothing else is slow."""
    cluster = Cluster(6, 0, 6, 30, 0, 30)
    ranks = cluster.servers + cluster.workers
    platform = Platform(np.arange(ranks), np.full(ranks, BANDWIDTH), 1, 0.0)
    wire_s = SIZE_BYTES / BANDWIDTH
    seconds = step_s(cluster, SIZE_BYTES, platform, Work(0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    # Params: a server sends 30 of them, one after another; then 30 gradients come in, 5 updates.
    assert 30 * wire_s + 5 * wire_s < seconds <= (30 + 30 + 5 + 2) * wire_s


def test_ranks_of_one_host_share_its_cores_and_use_no_network() -> None:
    cluster = Cluster(3, 0, 3, 4, 0, 4)
    platform = Platform(np.zeros(7, np.intp), np.array([1e-9]), 2, 1e9)
    work = Work(
        gradient_s=3.0,
        rule_s=2.0,
        server_median_s=1.0,
        worker_median_s=1.0,
        server_message_s=0.5,
        worker_message_s=0.25,
    )
    messages_s = 12 * 0.25 + 12 * 0.5 + 6 * 0.5
    computing_s = 4 * (1.0 + 3.0) + 3 * 2.0 + 3 * 1.0
    assert step_s(cluster, SIZE_BYTES, platform, work) == pytest.approx(
        (messages_s + computing_s) / 2
    )


def test_what_is_not_contracted_costs_no_updates() -> None:
    cluster = Cluster(6, 0, 6, 6, 0, 6)
    platform = Platform(np.arange(12), np.full(12, BANDWIDTH), 1, 0.0)
    work = Work(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    always, seldom = (
        step_s(cluster, SIZE_BYTES, platform, work, contract_every=every) for every in (1, 10)
    )
    assert seldom < always
    assert always - seldom == pytest.approx(0.9 * 5 * SIZE_BYTES / BANDWIDTH, rel=0.35)


def test_a_queue_waits_for_who_is_ready_and_for_who_is_before() -> None:
    assert queued(np.array([0.0, 0.0, 5.0]), 2.0).tolist() == [2.0, 4.0, 7.0]


COSTS = MessageCosts(each_s=3e-5, byte_s=2e-10)
KNOWN = Known(1e-3, 2e-3, 5e-4, 1e-3, 1e-2)


def test_calibrating_finds_the_costs_that_made_the_work() -> None:
    seen = [(job, KNOWN, 2 * modelled_s(job, KNOWN, COSTS, 2)) for job in jobs() if job.calibrates]
    found = calibrated(seen, 2)
    assert found.each_s == pytest.approx(COSTS.each_s)
    assert found.byte_s == pytest.approx(COSTS.byte_s)


def test_time_that_cores_stood_still_is_no_cost_of_messages() -> None:
    report = [
        Recorded(job, KNOWN, modelled_s(job, KNOWN, COSTS, CORES) * CORES / cores_busy, cores_busy)
        for job, cores_busy in zip(jobs(), cycle((1.9, 1.6, 1.3)), strict=False)
    ]
    assert costs_of(report).byte_s == pytest.approx(COSTS.byte_s)
    assert report[1].off_by(COSTS) == pytest.approx(1.6 / CORES - 1)


def test_a_report_is_read_as_it_was_written() -> None:
    found = Found([Ran(Measured(1 / seconds, 0.0, 0.1, 0.05), 1.0) for seconds in (2.0, 1.0, 4.0)])
    compared = [Compared(job, KNOWN, COSTS, found, 1.0, CORES) for job in jobs()]
    machine = Machine("a processor", CORES, 2**30, 0.0, {})
    report = recorded("\n".join(lines(machine, compared)))
    assert [each.job for each in report] == list(jobs())
    assert all(each.measured_s == 2.0 for each in report)
    assert report[0].cores_busy == pytest.approx((3 * 0.1 + 3 * 0.05) / 2.0, abs=5e-3)
    assert report[0].known == replace(KNOWN, observation_s=0.0)


def test_of_several_runs_the_one_of_median_speed_counts() -> None:
    runs = [Ran(Measured(speed, 0.0, 0.0, 0.0), 1.0) for speed in (4.0, 1.0, 2.0)]
    assert Found(runs).typical == runs[2]
    assert Found(runs).apart == pytest.approx(3.0)


def test_quorums_are_measured_as_ranks_that_share_cores_combine_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ahead = []
    monkeypatch.setattr(
        known_costs, "_gathered", lambda rule, rows: [ahead.append(rule.ahead), rows[0]][1]
    )
    known_costs.known_costs(Cluster(3, 0, 3, 3, 0, 3), 10)
    assert set(ahead) == {False}


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_what_newer_messages_replaced_is_missing_in_what_was_sent(
    share: float, tmp_path: Path
) -> None:
    job = next(jobs())
    sent_bytes = int(share * (job.steps * 24 + 9) * frame_bytes(job.dimension) / 6)
    for node in (cluster := job.cluster):
        log = EventLog(rank_log(tmp_path, cluster.rank(node)))
        log.record(event="halted", node=str(node), sent_bytes=sent_bytes)
    assert sent_share(job, tmp_path) == pytest.approx(share)


def test_no_cost_is_negative() -> None:
    matrix = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    found = least_squares(matrix, np.array([3.0, 2.0, 1.0]))
    assert found.tolist() == pytest.approx([2.0, 0.0])


def test_the_jobs_that_the_model_has_to_predict_are_more_than_those_it_has_seen() -> None:
    seen = [job for job in jobs() if job.calibrates]
    assert [job.cluster.num_ranks for job in seen] == [7, 25, 7, 25]
    assert len(list(jobs())) - len(seen) == 10
    assert max(job.cluster.num_ranks for job in jobs()) == 49


@pytest.mark.parametrize("job", list(jobs()), ids=lambda job: job.name)
def test_a_job_can_be_run(job: Job) -> None:
    assert parse_config(job.config).nodes == job.cluster
