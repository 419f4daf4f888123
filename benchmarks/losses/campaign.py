"""Losses: how fast a run is once f servers are killed and f' workers are stopped.

    python benchmarks/losses/campaign.py [--rounds 3] [--seed 0] [--only quadratic]

Prints a line per run and a table. Exit status 1 if a run went wrong, or was too slow.
"""

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

from loss_plan import WORKLOADS, Plan, Workload, fault_free, left_alone, struck
from loss_run import Measured, Run
from loss_table import Round, is_met, table


def main() -> int:
    arguments = _arguments()
    workloads = [workload for workload in WORKLOADS if arguments.only in workload.name]
    if arguments.measured:
        workloads = [replace(workload, measured=arguments.measured) for workload in workloads]
    rounds: dict[str, list[Round]] = {workload.name: [] for workload in workloads}
    with tempfile.TemporaryDirectory(prefix="losses-") as directory:
        for number in range(arguments.rounds):
            for workload in workloads:
                rng = Random(f"{arguments.seed} {workload.name} {number}")
                rounds[workload.name].append(_round(workload, rng, Path(directory) / "run"))
    print(*table(rounds), sep="\n")
    return int(not all(map(is_met, rounds.values())))


def _round(workload: Workload, rng: Random, run_dir: Path) -> Round:
    """Each kind of run once, in an order that no drift of the machine favours."""
    plans = {
        "fault_free": fault_free(workload),
        "struck": struck(workload, rng),
        "left_alone": left_alone(workload),
    }
    order = rng.sample(list(plans), len(plans))
    return Round(**{kind: _measured(workload, kind, plans[kind], run_dir) for kind in order})


def _measured(workload: Workload, kind: str, plan: Plan, run_dir: Path) -> Measured:
    found = Run(workload, plan, run_dir).measure()
    # What a run leaves would be in the page cache while the next one is measured.
    shutil.rmtree(run_dir)
    hit = f", killed {plan.killed}, stopped {plan.stopped}" if plan.killed else ""
    print(f"{workload.name}, {kind}{hit}: {found.updates_per_s:.3g} updates/s", flush=True)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measures runs that have lost servers and workers."
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a workload's name")
    parser.add_argument("--measured", type=int, help="steps measured, instead of a workload's own")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
