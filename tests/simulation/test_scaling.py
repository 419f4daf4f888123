"""The phase model of benchmarks/scaling against the simulator, whose nodes run the protocol."""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from guanyu_mpi.cluster import Cluster
from guanyu_mpi.config import parse_config
from guanyu_mpi.simulation import simulate

# Benchmarks are no package that could be imported.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "scaling"))

from calibration import MessageCosts, calibrated, least_squares, modelled_s
from known_costs import Known
from lanes import queued
from phases import Platform, Work, step_s
from scaling_plan import Job, jobs

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


def test_calibrating_finds_the_costs_that_made_the_times() -> None:
    known = Known(1e-3, 2e-3, 5e-4, 1e-3, 1e-2)
    costs = MessageCosts(each_s=3e-5, peer_s=1e-6, byte_s=2e-10)
    seen = [(job, known, modelled_s(job, known, costs, 2)) for job in jobs() if job.calibrates]
    found = calibrated(seen, 2)
    assert found.each_s == pytest.approx(costs.each_s)
    assert found.peer_s == pytest.approx(costs.peer_s)
    assert found.byte_s == pytest.approx(costs.byte_s)


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
