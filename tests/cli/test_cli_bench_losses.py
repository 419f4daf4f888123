"""`guanyu bench step`: who is lost and slow, what is compared, and that it has happened."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from step_reports import part, plan, report, run

from guanyu_mpi.account import Activity
from guanyu_mpi.bench import ddp_group
from guanyu_mpi.bench.ddp import take_part
from guanyu_mpi.bench.ddp_group import LOOPBACK, Place, Taken, measured_ddp
from guanyu_mpi.bench.ddp_loss import measured_loss
from guanyu_mpi.bench.step_faults import not_slow, not_struck
from guanyu_mpi.bench.step_job import measured_job
from guanyu_mpi.bench.step_logs import parts
from guanyu_mpi.bench.step_losses import kept, kept_per_core, losses
from guanyu_mpi.bench.step_plan import SLOW_TIMES, Contender, config
from guanyu_mpi.bench.step_report import SLOW_WORKER, Loss, Measured, Part, from_json, to_json
from guanyu_mpi.bench.step_tables import lines
from guanyu_mpi.bench.step_targets import TARGETS
from guanyu_mpi.bench.target import verdict
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.config.injections import injections
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.faults.kinds import Injection
from guanyu_mpi.journal import Journal, rank_log
from guanyu_mpi.launch import find_launcher
from guanyu_mpi.metrics import EventLog

CLUSTER = Cluster(6, 1, 5, 6, 1, 5)
DEAD = Injection(Node(Role.SERVER, 5), 1, "crash")
SLOW = Injection(Node(Role.WORKER, 5), 1, "slow", times=10.0)


def computing(time_s: float, **fields: object) -> Part:
    """A second of work on gradients, which takes so long."""
    compute = {Activity.COMPUTE: time_s}
    return part(spent_s=compute, worked_s={Activity.COMPUTE: 1.0}, **fields)


def struck(updates_per_s: float, *, slow_cpu_s: float = 0.0, by: float = 10.0) -> Measured:
    used = {"worker": computing(1.0), SLOW_WORKER: computing(by, cpu_s=slow_cpu_s)}
    return run(Contender.STRUCK, updates_per_s, 32, **used)


def test_struck_has_as_many_dead_and_slow_as_guanyu_tolerates() -> None:
    found = config(plan(), Contender.STRUCK, 32)
    assert found.nodes == config(plan(), Contender.GUANYU, 32).nodes
    kinds = {(str(one.node), one.kind) for one in injections(found.nodes, found.faults)}
    slow = {(f"worker-{index}", "slow") for index in range(13, 18)}
    assert kinds == {("server-05", "crash")} | slow
    times = {one.times for one in injections(found.nodes, found.faults) if one.kind == "slow"}
    assert times == {SLOW_TIMES}


def test_who_is_left_alone_has_the_same_quorums_and_averages_as_many() -> None:
    whole, alone = (config(plan(), each, 32) for each in (Contender.STRUCK, Contender.ALONE))
    assert alone.nodes == Cluster(5, 0, 5, 13, 0, 13)
    assert whole.nodes.server_quorum == alone.nodes.server_quorum
    assert whole.nodes.worker_quorum == alone.nodes.worker_quorum
    assert alone.aggregation.gradients_options == {"m": 13 - 5 - 2}
    assert not alone.faults.inject


def test_losses_are_measured_of_the_smallest_batch_and_where_there_is_somebody_to_lose() -> None:
    everybody = plan()
    assert everybody.contenders(32) == tuple(Contender)
    assert everybody.contenders(128) == tuple(Contender)[:4]
    for nobody in (plan(servers=5), plan(workers=5), plan(outlives=False)):
        assert nobody.contenders(32) == tuple(Contender)[:4]
    assert Contender.SLOW_DDP not in plan(model="quadratic").contenders(1)


def test_slow_workers_have_time_for_several_gradients_in_the_steps_that_count() -> None:
    for updates in (4, 20, 400):
        found = plan(updates=updates).fitted(Contender.STRUCK)
        assert found.last - found.first >= max(updates, 4 * SLOW_TIMES)
        assert found.told_every <= SLOW_TIMES or updates > 4 * SLOW_TIMES


@pytest.mark.parametrize(
    ("took", "share", "expected"), [(0.0, 0.95, "met"), (0.0, 0.9, "missed"), (0.1, 0.92, "met")]
)
def test_what_is_kept_is_per_core_that_the_slow_leave_of_what_those_left_alone_have(
    took: float, share: float, expected: str
) -> None:
    # Of 2 cores the slow take a tenth of one, or of each core none.
    speed = 2 * share
    of = report(struck(speed, slow_cpu_s=took / speed), run(Contender.ALONE, 2.0, 32))
    assert kept(of) == pytest.approx(share)
    assert kept_per_core(of) == pytest.approx(share / (1 - took / 2))
    (target,) = [target for target in TARGETS if "10x slow" in target.what]
    assert verdict(target.figure(of), target.sense, target.bound) == expected


def test_where_every_rank_has_a_core_the_slow_take_none_from_the_others() -> None:
    of = report(struck(0.9, slow_cpu_s=0.1), run(Contender.ALONE, 1.0, 32))
    of = replace(of, machine=replace(of.machine, cores=24))
    assert kept_per_core(of) == pytest.approx(0.9)


def test_without_the_work_of_the_slow_there_is_no_figure() -> None:
    of = report(run(Contender.STRUCK, 1.0, 32), run(Contender.ALONE, 1.0, 32))
    assert kept_per_core(of) is None


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (Loss(17, 17, 0, 1.25), "the job ends; all others failed within 1.2 s"),
        (Loss(17, 2, 1, 60.0), "after 60 s, of 17 others 2 had failed, 1 finished, 14 waited"),
    ],
)
def test_what_is_compared_is_said_and_what_became_of_ddp(loss: Loss, words: str) -> None:
    results = [struck(1.8), run(Contender.ALONE, 2.0, 32)]
    results += [run(Contender.SLOW_DDP, 0.1, 32), run(Contender.DDP, 1.0, 32)]
    of = replace(report(*results), loss=loss)
    assert from_json(to_json(of)) == of
    printed = lines(of)
    assert max(map(len, printed)) <= 100
    ours, ddp = (
        next(line.split() for line in losses(of) if line.startswith(f"| {name}"))
        for name in ("struck", "slow ddp")
    )
    assert ours[3::2] == ["1.8", "2", "0.90", "0.90", "10.0x"]
    assert ddp[4::2] == ["0.1", "1", "0.10", "0.10", "-"]
    assert f"- ddp with one process killed: {words}" in printed


def log(tmp_path: Path, node: Node) -> Journal:
    return Journal(rank_log(tmp_path, CLUSTER.rank(node)), node, lambda: 1.0, every=1)


def test_a_run_in_which_nobody_was_dead_or_slow_is_refused(tmp_path: Path) -> None:
    dead = log(tmp_path, DEAD.node)
    both = (DEAD, SLOW)
    assert not_struck(both, CLUSTER, tmp_path) == [
        "server-05 at step 1: crash has not happened",
        "worker-05 at step 1: slow has not happened",
    ]
    log(tmp_path, SLOW.node).struck(SLOW, 0)
    dead.struck(DEAD, 0)
    assert not not_struck(both, CLUSTER, tmp_path)
    dead.saved(7)
    assert not_struck(both, CLUSTER, tmp_path) == ["server-05 at step 1: crash, and it went on"]


def test_who_takes_as_long_as_the_others_for_as_much_work_is_not_slow() -> None:
    assert not not_slow(struck(1.0, by=10.0))
    assert not_slow(struck(1.0, by=1.5)) == [
        "who was to be slow has taken 1.5 times as long as the others"
    ]


def told(step: int, time_s: float, compute_s: float) -> Mapping[str, object]:
    zeros = dict.fromkeys(map(str, Activity), 0.0)
    spent_s = {"spent_s": {**zeros, "compute": compute_s}, "worked_s": {**zeros, "compute": step}}
    return {"step": step, "time_s": time_s, **spent_s, "cpu_s": step, "peak_bytes": 5}


def test_the_slow_are_told_of_apart_and_the_dead_not_at_all(tmp_path: Path) -> None:
    chosen = plan(servers=6, workers=6)
    for node in (*CLUSTER.nodes(Role.SERVER), *CLUSTER.nodes(Role.WORKER)):
        pace = 30.0 if node == SLOW.node else 3.0
        events = EventLog(rank_log(tmp_path, CLUSTER.rank(node)))
        for step in (chosen.first, chosen.last):
            events.record(**told(step, float(step), pace * step), sent_bytes=0)
    found = parts(chosen, CLUSTER, tmp_path, 1.0, (DEAD, SLOW))
    cpu_s = {name: of.cpu_s for name, of in found.items()}
    assert cpu_s == {"server": 5.0, "worker": 5.0, SLOW_WORKER: 1.0}
    measured = Measured(Contender.STRUCK, 32, 0.5, 40.0, found)
    assert measured.slow_times == pytest.approx(10.0)
    assert measured.slow_cores == pytest.approx(0.5)


@pytest.mark.mpi
def test_a_small_job_goes_on_without_the_dead_and_the_slow() -> None:
    if not find_launcher()[1].can_tolerate_faults:
        pytest.skip("a rank that dies ends the job")
    small = plan(model="quadratic", workers=6, updates=4).fitted(Contender.STRUCK)
    found = measured_job(small, Contender.STRUCK, 1)
    assert found.updates_per_s > 0
    assert found.slow_times is not None
    assert found.slow_cores is not None


def test_slow_ddp_has_as_many_slow_processes_as_guanyu_tolerates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ddp_group, "running", nullcontext)
    taken = {None: 0.0, 1.0: 2.0, 10.0: 20.0}
    monkeypatch.setattr(
        ddp_group, "_taken", lambda place: Taken(9.9, 1.0, 1.0, 5, taken[place.times], 1.0)
    )
    slow = measured_ddp(plan(), Contender.SLOW_DDP, 32)
    assert {name: of.cpu_s * 20 for name, of in slow.parts.items()} == {
        "worker": pytest.approx(13),
        SLOW_WORKER: pytest.approx(5),
    }
    assert slow.slow_times == pytest.approx(10.0)
    assert list(measured_ddp(plan(), Contender.DDP, 32).parts) == ["worker"]
    taken[10.0] = 2.0
    with pytest.raises(InvariantError, match="slow ddp, batch 32: who was to be slow"):
        measured_ddp(plan(), Contender.SLOW_DDP, 32)


def test_a_slow_process_of_ddp_takes_so_many_times_as_long_for_as_much_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in LOOPBACK.items():
        monkeypatch.setenv(name, value)
    alone = replace(plan(model="mlp", updates=4), workers=1)

    def pace(times: float) -> float:
        found = take_part(Place(0, str(tmp_path / f"at-{times}"), 64, alone, times))
        return found.spent_s / found.worked_s

    assert pace(10.0) > 4 * pace(1.0)
    assert take_part(Place(0, str(tmp_path / "unmeasured"), 64, alone)).spent_s == 0


def test_ddp_ends_when_one_of_its_processes_is_killed() -> None:
    found = measured_loss(plan(model="mlp", workers=3, batches=[4], updates=4), 4)
    assert (found.others, found.failed, found.finished) == (2, 2, 0)
