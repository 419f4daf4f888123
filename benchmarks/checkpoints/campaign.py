"""What saving every ten steps costs cnnet on CIFAR-10: updates per second, with and without.

    python benchmarks/checkpoints/campaign.py [--rounds 6] [--updates 60]

Needs data/cifar10.h5. Prints a line per run and a table. Exit status 1 if it costs too much.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Jobs are started and watched as where some of their ranks are lost.
sys.path.insert(0, str(Path(__file__).parents[1] / "losses"))

from loss_plan import SETTLING, Config, Plan, Workload
from loss_run import Measured, Run

COST_MAX = 0.02
EVERY = 10
WORKERS, BYZANTINE_WORKERS = 6, 1
PROBLEM: Config = {
    "model": {"name": "cnnet"},
    "data": {"name": "cifar10"},
    "train": {"batch_size": 32, "learning_rate": 0.05},
}


@dataclass(frozen=True, slots=True)
class Round:
    """One run that saves and one that does not."""

    saving: Measured
    without: Measured

    @property
    def cost(self) -> float:
        """By how much more time an update takes."""
        return self.without.updates_per_s / self.saving.updates_per_s - 1

    @property
    def work(self) -> float:
        """By how much more processor time an update takes."""
        return _cpu_s(self.saving) / _cpu_s(self.without) - 1


def main() -> int:
    arguments = _arguments()
    updates = arguments.updates
    # Steps are told where the model is evaluated: at the first and the last that are measured.
    before = updates - SETTLING
    workload = Workload("cnnet", PROBLEM, WORKERS, BYZANTINE_WORKERS, before, updates)
    rounds = []
    with tempfile.TemporaryDirectory(prefix="saving-", dir=arguments.directory) as directory:
        for number in range(arguments.rounds):
            rounds.append(_round(workload, Path(directory) / "run", saving_first=number % 2 == 0))
    print(*_table(rounds), sep="\n")
    return int(statistics.median(one.cost for one in rounds) > COST_MAX)


def _round(workload: Workload, run_dir: Path, *, saving_first: bool) -> Round:
    every = [EVERY, workload.steps] if saving_first else [workload.steps, EVERY]
    found = {steps: _measured(workload, steps, run_dir) for steps in every}
    return Round(found[EVERY], found[workload.steps])


def _measured(workload: Workload, every: int, run_dir: Path) -> Measured:
    """A run that saves every so many steps: the last step alone is outside of what is measured."""
    found = Run(workload, _plan(workload, every), run_dir).measure()
    saved = len(list(run_dir.glob("checkpoints/server-00/*.h5")))
    # Of a run that saves the newest are kept, and of one that does not there is the last.
    if saved != (1 if every == workload.steps else 2):
        raise SystemExit(f"{run_dir}: {saved} checkpoints, where one is made every {every} steps")
    shutil.rmtree(run_dir)
    print(f"every {every} steps: {found.updates_per_s:.3f} updates/s", flush=True)
    return found


def _plan(workload: Workload, every: int) -> Plan:
    return Plan(
        {
            **workload.problem,
            "run": {"name": "saving", "steps": workload.steps, "seed": 3},
            "cluster": {
                "servers": 6,
                "byzantine_servers": 1,
                "workers": workload.workers,
                "byzantine_workers": workload.byzantine_workers,
            },
            "checkpoint": {"every": every, "keep": 2},
            "observe": {"every": workload.measured},
        }
    )


def _cpu_s(found: Measured) -> float:
    return 6 * found.server_cpu_s + WORKERS * found.worker_cpu_s


def _table(rounds: Sequence[Round]) -> list[str]:
    return [
        f"| updates/s: every {EVERY} steps, none | cost | its processor time |",
        "| --- | --- | --- |",
        *(
            f"| {one.saving.updates_per_s:.3f}, {one.without.updates_per_s:.3f} "
            f"| {one.cost:+.1%} | {one.work:+.1%} |"
            for one in rounds
        ),
        f"| median | {statistics.median(one.cost for one in rounds):+.1%} "
        f"| {statistics.median(one.work for one in rounds):+.1%} |",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what saving costs.")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--updates", type=int, default=60, help="updates that are measured")
    parser.add_argument("--directory", help="where the runs are; a file system that is on a disk")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
