"""What ends a job on a cluster, and that the same command continues it: jobs/train.sbatch."""

import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from one_machine_slurm import OneMachineSlurm, until
from slurm_jobs import LONG, SHORT, SLOW_STEP, node_of, ranks, train, write_run

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_a_job_finishes_with_its_servers_on_different_nodes(
    slurm: OneMachineSlurm, tmp_path: Path
) -> None:
    run = write_run(tmp_path, SHORT)
    job = train(slurm, run)
    job.until_slow(run)
    started = ranks(slurm, run)
    assert sorted(started) == list(range(7))
    assert len({node_of(started[server]) for server in range(3)}) == 3
    assert job.wait() == "COMPLETED", job.output
    run.assert_finished()
    assert "restart 0" in job.output


def test_a_job_that_reaches_its_time_limit_saves_and_goes_on_in_its_next_life(
    slurm: OneMachineSlurm, tmp_path: Path
) -> None:
    run = write_run(tmp_path, LONG)
    job = train(slurm, run, "--time=10", "--signal=B:USR1@60")
    job.until_slow(run)
    # Slurm looks every 30 s whose time is nearly over.
    end = datetime.now() + timedelta(seconds=95)
    slurm.command("scontrol", "update", f"JobId={job.number}", f"EndTime={end:%FT%T}")
    job.until_restarted()
    saved = run.saved_step
    assert saved >= SLOW_STEP
    slurm.command("scontrol", "update", f"JobId={job.number}", "TimeLimit=10")
    assert job.wait() == "COMPLETED", job.output
    run.assert_finished()
    assert run.continued_at == [saved]


def test_a_user_can_have_a_job_saved_and_queued_again(
    slurm: OneMachineSlurm, tmp_path: Path
) -> None:
    run = write_run(tmp_path, LONG)
    job = train(slurm, run)
    job.until_slow(run)
    job.tell(signal.SIGUSR1, "--batch")
    job.until_restarted()
    assert "saved" in job.output
    saved = run.saved_step
    assert job.wait() == "COMPLETED", job.output
    run.assert_finished()
    assert run.continued_at == [saved]
    # The second life has added to the first one's output.
    assert "restart 0" in job.output
    assert "restart 1" in job.output


def test_a_cancelled_job_leaves_nothing_running_and_a_run_that_continues(
    slurm: OneMachineSlurm, tmp_path: Path
) -> None:
    run = write_run(tmp_path, LONG)
    job = train(slurm, run)
    job.until_slow(run)
    slurm.command("scancel", job.number)
    assert job.wait() == "CANCELLED", job.output
    until(lambda: not ranks(slurm, run), "no rank is left")
    assert run.step < LONG
    again = train(slurm, run)
    assert again.wait() == "COMPLETED", again.output
    run.assert_finished()
    assert run.continued_at[0] >= SLOW_STEP - 10


def test_a_killed_rank_does_not_end_the_job(slurm: OneMachineSlurm, tmp_path: Path) -> None:
    run = write_run(tmp_path, SHORT, nodes=6, byzantine=1)
    job = train(slurm, run, "--ntasks=13", "--ntasks-per-node=5")
    job.until_slow(run)
    victim = ranks(slurm, run)[2]
    victim.kill()
    assert job.wait() == "COMPLETED", job.output
    assert "said nothing at the end: server-02" in job.output
    run.assert_finished()


@pytest.mark.parametrize("of_the_script", [True, False], ids=["first", "another"])
def test_after_the_loss_of_a_node_the_job_is_queued_again_and_finishes(
    slurm: OneMachineSlurm, tmp_path: Path, of_the_script: bool
) -> None:
    """Nobody could save, but checkpoints are there. It may be given the lost node once more."""
    run = write_run(tmp_path, LONG)
    job = train(slurm, run)
    job.until_slow(run)
    first = job.field("BatchHost")
    others = {node_of(rank) for rank in ranks(slurm, run).values()} - {first}
    lost = first if of_the_script else max(others)
    slurm.lose(lost)
    try:
        job.until_restarted()
        assert run.step < LONG
        assert job.wait() == "COMPLETED", job.output
    finally:
        slurm.revive(lost)
    run.assert_finished()
    assert run.continued_at[0] >= SLOW_STEP - 10
