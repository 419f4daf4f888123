"""One life of a job: started, watched until the moment comes, and killed with kill -9, whole."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

from guanyu_mpi.checkpoint import scan
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.done import read_done
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import read_events
from guanyu_mpi.run_dir import checkpoint_dir

# Fine enough to see a file that is being written for some milliseconds.
POLL_S = 1e-3
WRITING = ".writing-*"

# Half of the kills aim at a checkpoint's writing, and of the others one in four at the start.
WRITING_SHARE, STARTING_SHARE = 0.5, 0.125
STARTING_S_MAX = 3.0
# After so many checkpoints of this life, and so long: about as long as one is from the next.
SAVED_MAX = 3
TRAINING_S_MAX = 1.0
# Of the files that are then written the first, or one of those after it; and how long after it
# has appeared: about as long as writing it takes.
WRITINGS_MAX = 3
WRITING_S_MAX = 0.03


class Life:
    """A `guanyu launch` in a run directory."""

    def __init__(self, config: Path, run_dir: Path, cluster: Cluster) -> None:
        self._run_dir, self._cluster = run_dir, cluster
        self._before = lives(run_dir)
        self._left_before = _unfinished(run_dir)
        argv = [sys.executable, "-m", "guanyu_mpi", "launch", str(config)]
        run_dir.parent.mkdir(parents=True, exist_ok=True)
        self._log = run_dir.with_suffix(".log")
        with self._log.open("w", encoding="utf-8") as log:
            argv += ["--run-dir", str(run_dir)]
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)

    @property
    def status(self) -> int | None:
        """Exit status of the launch, if it has ended."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What it has said."""
        return self._log.read_text(encoding="utf-8")

    def wait(self, limit_s: float) -> int | None:
        """Exit status; None if it has not ended in time, and was killed."""
        try:
            return self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def wait_for_a_moment(self, rng: Random) -> str:
        """Return at the moment of the kill: what that aims at."""
        aim = rng.random()
        if aim < STARTING_SHARE:
            self._rest(rng.uniform(0.0, STARTING_S_MAX))
            return "starting"
        while lives(self._run_dir) == self._before and self.status is None:
            time.sleep(10 * POLL_S)
        for _ in range(rng.randint(0, SAVED_MAX)):
            self._wait_for_a_checkpoint()
        self._rest(rng.uniform(0.0, TRAINING_S_MAX))
        if aim < 1 - WRITING_SHARE:
            return "training"
        for _ in range(rng.randint(1, WRITINGS_MAX)):
            # Not a file that is half written already, but the next one.
            self._until(writing=False)
            self._until(writing=True)
        time.sleep(rng.uniform(0.0, WRITING_S_MAX))
        return "writing"

    def kill(self) -> int:
        """Kill -9 every process of the job; how many there were."""
        killed = set()
        while found := set(_processes(self._run_dir)):
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed |= found
            time.sleep(POLL_S)
        self._process.wait()
        return len(killed)

    def where(self) -> str:
        """What the job was doing when it was killed, by what it has left."""
        if read_done(self._run_dir, self._cluster):
            return "ending"
        if self._writing():
            return "writing"
        return "starting" if lives(self._run_dir) == self._before else "training"

    def _rest(self, duration_s: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(duration_s)

    def _wait_for_a_checkpoint(self) -> None:
        newest = self._newest()
        while self._newest() == newest and self.status is None:
            time.sleep(10 * POLL_S)

    def _newest(self) -> int:
        """The newest step that server 0 has saved."""
        return max(scan(checkpoint_dir(self._run_dir)).get(0, ()), default=0)

    def _until(self, *, writing: bool) -> None:
        while bool(self._writing()) != writing and self.status is None:
            time.sleep(POLL_S)

    def _writing(self) -> set[Path]:
        """Files that this life has begun and not finished."""
        return _unfinished(self._run_dir) - self._left_before


def lives(run_dir: Path) -> int:
    """How often server 0 has begun to train."""
    return sum(event.get("event") == "started" for event in read_events(rank_log(run_dir, 0)))


def _unfinished(run_dir: Path) -> set[Path]:
    return set(checkpoint_dir(run_dir).glob(f"*/{WRITING}"))


def _processes(run_dir: Path) -> Iterator[int]:
    """Living processes with this directory on their command line: the job and nobody else."""
    name = os.fsencode(run_dir)
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if name in (entry / "cmdline").read_bytes().split(b"\0"):
                yield int(entry.name)
