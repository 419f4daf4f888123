"""Several jobs of one command: the elements of an array, the links of a chain."""

import signal
from pathlib import Path

import pytest
from one_machine_slurm import OneMachineSlurm
from slurm_jobs import LONG, SHORT, SMALL, SlurmJob, submit, write_run

from guanyu_mpi.experiment.record import Status, read_record

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_elements_of_an_array_end_and_are_queued_again_each_for_itself(
    slurm: OneMachineSlurm, tmp_path: Path
) -> None:
    """The number of the last element is that of the whole array, too."""
    first, wrong = (write_run(tmp_path, SHORT, name=name) for name in ("first", "wrong"))
    wrong.config.write_text(wrong.config.read_text().replace("servers = 3", "servers = 0"))
    last = write_run(tmp_path, LONG, name="last")
    configs = [run.config.name for run in (first, wrong, last)]
    array = submit(slurm, tmp_path, *SMALL, "--array=0-2", "jobs/experiment.sbatch", *configs)
    elements = [SlurmJob(slurm, f"{array.number}_{index}", tmp_path) for index in range(3)]
    elements[2].until_slow(last)
    elements[2].tell(signal.SIGUSR1, "--batch")
    elements[2].until_restarted()
    assert [element.wait() for element in elements] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert [element.field("Restarts") for element in elements[:2]] == ["0", "0"]
    assert elements[1].field("ExitCode") == "2:0"
    assert "cluster.servers = 0" in elements[1].output
    first.assert_finished()
    last.assert_finished()


def test_elements_of_an_array_are_cells_of_an_experiment(
    slurm: OneMachineSlurm, tmp_path: Path
) -> None:
    base = write_run(tmp_path, SHORT).config
    # Faults, by which other tests have time, need real processes.
    base.write_text(base.read_text().partition("[[faults.inject]]")[0])
    seeds = "".join(f"[axes.seed.{seed}]\nrun.seed = {seed}\n" for seed in (1, 2))
    text = f'name = "many"\nbase = "{base.name}"\nhow = "simulate"\n{seeds}'
    (tmp_path / "many.toml").write_text(text)
    array = submit(
        slurm, tmp_path, "--ntasks=1", "--array=0-1", "jobs/experiment.sbatch", "many.toml"
    )
    elements = [SlurmJob(slurm, f"{array.number}_{index}", tmp_path) for index in range(2)]
    assert [element.wait() for element in elements] == ["COMPLETED"] * 2, elements[0].output
    found = [
        read_record(tmp_path / "runs" / "many" / "cells" / f"seed-{seed}" / "record.json")
        for seed in (1, 2)
    ]
    assert [record and (record.status, record.step) for record in found] == [
        (Status.FINISHED, SHORT)
    ] * 2


def test_a_chain_ends_with_the_link_that_finishes(slurm: OneMachineSlurm, tmp_path: Path) -> None:
    run = write_run(tmp_path, LONG)
    argv = ("3", *SMALL, "jobs/train.sbatch", run.config.name)
    numbers = slurm.command("jobs/chain.sh", *argv, cwd=tmp_path).removeprefix("queued:").split()
    links = [SlurmJob(slurm, number, tmp_path) for number in numbers]
    links[0].until_slow(run)
    links[0].tell(signal.SIGUSR1, "--batch")
    states = [link.wait() for link in links]
    assert states == ["FAILED", "COMPLETED", "CANCELLED"], [link.output for link in links]
    assert links[0].field("ExitCode") == "85:0"
    run.assert_finished()
