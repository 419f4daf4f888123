"""Ranks that srun starts, with a system's own MPI: one world, on nodes of one kind or of two."""

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
from one_machine_slurm import OneMachineSlurm
from slurm_jobs import LONG, SHORT, node_of, ranks, submit, train, write_run

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_srun_starts_one_world_that_saves_goes_on_and_finishes(
    slurm: OneMachineSlurm, tmp_path: Path, open_mpi: Mapping[str, str]
) -> None:
    run = write_run(tmp_path, LONG)
    launcher = ("--launcher", "srun --mpi=pmix")
    job = train(slurm, run, launcher=launcher, extra=open_mpi)
    job.until_slow(run)
    started = ranks(slurm, run)
    assert sorted(started) == list(range(7))
    assert len({node_of(started[server]) for server in range(3)}) == 3
    job.tell(signal.SIGUSR1, "--batch")
    job.until_restarted()
    saved = run.saved_step
    assert job.wait() == "COMPLETED", job.output
    run.assert_finished()
    assert run.continued_at == [saved]


def test_servers_on_cpu_nodes_and_workers_on_gpu_nodes_are_one_world(
    slurm: OneMachineSlurm, tmp_path: Path, mpich: Mapping[str, str]
) -> None:
    run = write_run(tmp_path, SHORT)
    servers = ("--nodes=3", "--ntasks=3")
    others = ("--nodes=2", "--ntasks=4", "--ntasks-per-node=2", "--gpus-per-node=2")
    extra = {**mpich, "MPI": "pmi2"}
    argv = (*servers, ":", *others, "jobs/hetero.sbatch", run.config.name)
    job = submit(slurm, tmp_path, *argv, extra=extra)
    job.until_slow(run)
    started = ranks(slurm, run)
    assert {node_of(started[rank]) for rank in range(3)} == {"cpu1", "cpu2", "cpu3"}
    assert {node_of(started[rank]) for rank in range(3, 7)} == {"gpu1", "gpu2"}
    devices = [started[rank].environ().get("CUDA_VISIBLE_DEVICES") for rank in range(7)]
    assert devices == [None] * 3 + ["0,1"] * 4
    assert job.wait() == "COMPLETED", job.output
    run.assert_finished()


def test_ranks_that_do_not_find_each_other_refuse_to_train(
    slurm: OneMachineSlurm, tmp_path: Path
) -> None:
    """With an --mpi that is not its library's, each would train a world of its own."""
    run = write_run(tmp_path, SHORT)
    job = train(slurm, run, launcher=("--launcher", "srun --mpi=none"))
    assert job.wait() == "FAILED"
    assert job.field("ExitCode") == "2:0"
    assert "launcher and MPI library do not belong together" in job.output
    assert not (run.directory / "checkpoints").exists()
