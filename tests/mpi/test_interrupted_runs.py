"""Runs that are killed several times end where they would have ended without."""

import random
from pathlib import Path

import pytest
from job_harness import LOCKSTEP, QUADRATIC, Job, guanyu, write_config

from guanyu_mpi.checkpoint import path_of, read, restore_step, scan
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.trace import read_segments, trace_path

pytestmark = pytest.mark.mpi

FIRST = Node(Role.SERVER, 0)
LOCKSTEP_STEPS, LOCKSTEP_KILLS = 420, 5
ASYNCHRONOUS_STEPS, ASYNCHRONOUS_KILLS = 120, 2
# What a worker carries from step to step, and has to save as well.
MOMENTUM = "train.momentum=0.9"


def lives(job: Job) -> int:
    """How often the job has begun to train."""
    return sum(event["event"] == "started" for event in job.events(FIRST))


def began_at(job: Job) -> list[int]:
    """The steps that each life began at."""
    return [segment.header.step for segment in read_segments(trace_path(job.run_dir, 0))]


def saved(job: Job, quorum: int) -> int:
    """The newest step that so many servers have saved."""
    return restore_step(scan(checkpoint_dir(job.run_dir)), quorum) or 0


def interrupt(job: Job, kills: int, steps: int, quorum: int, rng: random.Random) -> None:
    """Kill -9 all of a job so many times, each a while later; each life saves something."""
    # In equal shares of the run, so that there is always something left to kill.
    share = steps // (kills + 2)
    for life in range(1, kills + 1):
        target, before = share * life + rng.randrange(share // 2), saved(job, quorum)
        job.until(
            lambda life=life, target=target, before=before: (
                lives(job) == life
                and job.last_step(FIRST) >= target
                and saved(job, quorum) > before
            )
        )
        job.kill_all()
        assert not job.done(), "it had ended before it was killed"
        job.start()


def test_a_run_interrupted_five_times_ends_with_the_same_parameters(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    config = write_config(tmp_path, LOCKSTEP, LOCKSTEP_STEPS)
    unbroken = Job(config, tmp_path / "unbroken", MOMENTUM)
    status, output = unbroken.wait()
    assert status == 0, output
    assert began_at(unbroken) == [0]
    broken = Job(config, tmp_path / "broken", MOMENTUM)
    interrupt(broken, LOCKSTEP_KILLS, LOCKSTEP_STEPS, 3, random.Random(seed))
    status, output = broken.wait()
    assert status == 0, f"{output} (seed {seed})"
    began = began_at(broken)
    assert len(began) == LOCKSTEP_KILLS + 1, f"seed {seed}"
    assert began == sorted(set(began)), f"a life began where one had before; seed {seed}"
    for server in range(3):
        end, same_end = (
            read(path_of(checkpoint_dir(job.run_dir), server, LOCKSTEP_STEPS)).params.tobytes()
            for job in (unbroken, broken)
        )
        assert end == same_end, f"server {server}, seed {seed}"


def test_an_asynchronous_run_interrupted_twice_is_replayed_by_its_trace(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    config = write_config(tmp_path, QUADRATIC, ASYNCHRONOUS_STEPS)
    job = Job(config, tmp_path / "run")
    interrupt(job, ASYNCHRONOUS_KILLS, ASYNCHRONOUS_STEPS, 5, random.Random(seed))
    status, output = job.wait()
    assert status == 0, f"{output} (seed {seed})"
    began = began_at(job)
    assert len(began) == ASYNCHRONOUS_KILLS + 1
    assert began == sorted(set(began))
    replayed = guanyu("replay", str(job.run_dir))
    assert replayed.returncode == 0, f"{replayed.stdout}{replayed.stderr} (seed {seed})"
    assert replayed.stdout.count("equal to its checkpoint") == 6
