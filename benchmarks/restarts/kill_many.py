"""Kill -9 whole jobs at random moments, and continue each with the same command, to its end.

    python benchmarks/restarts/kill_many.py [CONFIG] [--kills 500] [--jobs 2] [--seed 0]

Half of the kills are aimed into the writing of a checkpoint. After each, the checkpoints must be
usable, at most the newest that was due may be lost, and the next life must go on from there. Where
all wait for all, every run must end with the same bits as one that was never killed. Prints a line
per kill, and how they were distributed. Exit status 1 if anything did not hold; that run is kept.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory, mkdtemp
from threading import Lock

from kill_life import Life
from kill_table import Kill, table
from kill_verdict import NOTHING, Left, ended, is_lockstep, left

from guanyu_mpi.config import load_config

# A checkpoint is 4 MB per server and per worker.
LOCKSTEP = """
[run]
name = "killed"
steps = 100

[cluster]
servers = 3
workers = 3

[model]
name = "quadratic"
options = {dimension = 1_000_000}

[train]
learning_rate = 0.1
momentum = 0.9

[aggregation]
gradients = "average"

[checkpoint]
every = 5

[observe]
every = 50
"""

# Where Open MPI puts what its ranks share, and what says where else.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (nothing is written there by a guessed name)
SEGMENTS_VARIABLE = "OMPI_MCA_btl_sm_backing_directory"
# How long a run may take that nobody kills any more.
LIMIT_S = 900.0


@dataclass(slots=True)
class Tally:
    """What all runs have found, and how many kills are still to be made."""

    kills_left: int
    kills: list[Kill] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    runs: int = 0
    lock: Lock = field(default_factory=Lock)

    def begin_run(self) -> int | None:
        """The number of another run, or None if enough were killed."""
        with self.lock:
            if self.kills_left <= 0:
                return None
            self.runs += 1
            return self.runs

    def take(self, kills: int = 1) -> bool:
        """Whether another kill is to be made; -1 returns one that was not."""
        with self.lock:
            self.kills_left -= kills
            return self.kills_left >= 0

    def add(self, number: int, kill: Kill) -> None:
        """Tell of a kill."""
        found = kill.left
        with self.lock:
            self.kills.append(kill)
            print(
                f"{time.strftime('%H:%M:%S')} {len(self.kills)}: run {number}, {kill.processes} "
                f"processes killed while {kill.where} (aimed at {kill.aim}): a quorum was at step "
                f"{found.reached}, a restart takes {found.restart}",
                flush=True,
            )

    def blame(self, run_dir: Path, wrong: tuple[str, ...]) -> None:
        """Tell what was wrong with a run."""
        with self.lock:
            for what in wrong:
                self.wrong.append(f"{run_dir}: {what}")
                print(f"  WRONG: {self.wrong[-1]}", flush=True)


class Campaign:
    """Runs of one configuration in a directory."""

    def __init__(self, path: Path, directory: Path, seed: int, tally: Tally) -> None:
        self._path, self._directory, self._seed, self._tally = path, directory, seed, tally
        self._config = load_config(path)
        self._expected: Mapping[int, str] = {}

    def learn(self) -> None:
        """Run once without a kill: what the others must end with, where that is determined."""
        if is_lockstep(self._config.nodes):
            run_dir = self._directory / "unbroken"
            self._expected = self._finish(run_dir, self._life(run_dir), NOTHING).digests

    def work(self) -> None:
        """Kill one run after another, until enough were killed."""
        while (number := self._tally.begin_run()) is not None:
            self._kill_one(number, Random(f"{self._seed} {number}"))

    def _kill_one(self, number: int, rng: Random) -> None:
        """Kill a run again and again until it has come to its end."""
        run_dir = self._directory / f"run-{number:04d}"
        before, life = NOTHING, self._life(run_dir)
        while self._tally.take():
            aim = life.wait_for_a_moment(rng)
            if life.status is not None:
                self._tally.take(-1)
                break
            processes = life.kill()
            before = left(self._config, run_dir, before)
            self._tally.add(number, Kill(aim, life.where(), processes, before))
            if before.wrong:
                self._tally.blame(run_dir, before.wrong)
                return
            life = self._life(run_dir)
            if before.restart == self._config.run.steps:
                break
        if not self._finish(run_dir, life, before).wrong:
            shutil.rmtree(run_dir)

    def _finish(self, run_dir: Path, life: Life, before: Left) -> Left:
        """Let a run come to its end, and judge that."""
        status = life.wait(LIMIT_S)
        found = ended(self._config, run_dir, before, self._expected)
        if status != 0:
            said = f"exit status {status}: {life.output.strip()[-300:]}"
            found = replace(found, wrong=(*found.wrong, said))
        self._tally.blame(run_dir, found.wrong)
        return found

    def _life(self, run_dir: Path) -> Life:
        return Life(self._path, run_dir, self._config.nodes)


def main() -> int:
    arguments = _arguments()
    directory = arguments.directory or Path(mkdtemp(prefix="kills-"))
    directory.mkdir(parents=True, exist_ok=True)
    path = arguments.config or directory / "killed.toml"
    if not arguments.config:
        path.write_text(LOCKSTEP, encoding="utf-8")
    tally = Tally(arguments.kills)
    campaign = Campaign(path, directory, arguments.seed, tally)
    with _litter_of_mpi(), ThreadPoolExecutor(arguments.jobs) as pool:
        campaign.learn()
        for worker in [pool.submit(campaign.work) for _ in range(arguments.jobs)]:
            worker.result()
    print(*table(tally.kills, load_config(path).checkpoint.every), sep="\n")
    print(f"{tally.runs} runs, each continued to its end; wrong: {len(tally.wrong)}")
    print(*tally.wrong, sep="\n")
    if not tally.wrong and not arguments.directory:
        shutil.rmtree(directory)
    return int(bool(tally.wrong))


@contextmanager
def _litter_of_mpi() -> Iterator[None]:
    """Give Open MPI directories for what it leaves behind when it is killed; they are removed."""
    with ExitStack() as stack:
        session = TemporaryDirectory(prefix="kills-")
        os.environ["TMPDIR"] = stack.enter_context(session)
        if SHARED_MEMORY.is_dir():
            segments = TemporaryDirectory(prefix="kills-", dir=SHARED_MEMORY)
            os.environ[SEGMENTS_VARIABLE] = stack.enter_context(segments)
        yield


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kills whole MPI jobs, and continues them.")
    parser.add_argument("config", nargs="?", type=Path, help="of the runs; a small one if absent")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--directory", type=Path, help="of the runs; those that fail are kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
