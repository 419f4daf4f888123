"""Runs every scenario of tests/simulation/scenarios with many seeds, and prints a table.

    python benchmarks/simulator/campaign.py --seeds 125
    python benchmarks/simulator/campaign.py --scenario slow-server --seed 17      one run again

Exit status 1 if anything did not hold, with the command that repeats it.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

# The scenarios and their laws are the tests'; the tests are no package that could be imported.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "simulation"))

from scenario_harness import SCENARIOS, Verdict, judge, load

HEADINGS = (
    "scenario",
    "seeds",
    "finished",
    "left behind",
    "worst memory / bound",
    "jumps",
    "worst drift",
    "final loss, median",
    "fault-free, median",
)


def main() -> int:
    arguments = _arguments()
    scenarios = [arguments.scenario] if arguments.scenario else list(SCENARIOS)
    seeds = range(arguments.seeds) if arguments.seed is None else [arguments.seed]
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    failed = False
    for verdict in _run(scenarios, seeds, arguments.processes):
        verdicts[verdict.scenario].append(verdict)
        for violation in verdict.violations:
            failed = True
            repeat = f"--scenario {verdict.scenario} --seed {verdict.seed}"
            print(f"{violation}: python benchmarks/simulator/campaign.py {repeat}", flush=True)
    print(_line(HEADINGS), _line("---" for _ in HEADINGS), sep="\n")
    for runs in verdicts.values():
        print(_line(_row(runs)))
    print(f"\n{sum(map(len, verdicts.values()))} runs")
    return int(failed)


def judge_all(scenarios: list[str], seed: int) -> list[Verdict]:
    """All scenarios with one seed, which share their fault-free runs."""
    return [_judge(scenario, seed) for scenario in scenarios]


def _judge(scenario: str, seed: int) -> Verdict:
    try:
        return judge(load(scenario), seed)
    except Exception as error:
        repeat = f"--scenario {scenario} --seed {seed}"
        raise RuntimeError(f"python benchmarks/simulator/campaign.py {repeat}") from error


def _run(scenarios: list[str], seeds: Iterable[int], processes: int) -> Iterator[Verdict]:
    with ProcessPoolExecutor(processes, initializer=_one_thread) as pool:
        for batch in pool.map(judge_all, [scenarios] * len(list(seeds)), seeds):
            yield from batch


def _one_thread() -> None:
    """Two processes with two threads each would wait for each other."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"


def _row(runs: list[Verdict]) -> Iterator[str]:
    yield runs[0].scenario
    yield str(len(runs))
    yield str(sum(not run.left_behind for run in runs))
    yield str(sum(len(run.left_behind) for run in runs))
    yield f"{max(run.memory_max for run in runs):.2f}"
    yield str(sum(run.jumps for run in runs))
    yield f"{max(run.drift_max for run in runs):.2f}"
    yield f"{median(run.loss for run in runs):.4f}"
    yield f"{median(run.fault_free_loss for run in runs):.4f}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs scenarios in the simulator.")
    parser.add_argument("--seeds", type=int, default=8, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--seed", type=int, help="only this seed")
    parser.add_argument("--scenario", choices=SCENARIOS, help="only this scenario")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
