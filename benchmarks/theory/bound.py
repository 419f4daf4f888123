"""Compares runs of the shipped code with the bound of docs/theory.md: a table, and a plot.

    python benchmarks/theory/bound.py --plot theory.png                 needs the extra `report`
    python benchmarks/theory/bound.py --seeds 2 --steps-max 63          a first look

Exit status 1 if a measured value is above its bound.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from report import table
from theorem import Point, Resilience, compare
from trajectories import Setting, follow

# Three decades by halves.
STEPS = (2, 6, 20, 63, 200, 632, 2000)
RULES = ("krum", "multi-krum", "median", "trimmed-mean", "mda")
# The attacker sends what leads uphill, and is as long as what honest workers send: once noise is
# longer than the gradient, nobody can tell it from an honest vector.
ATTACK: dict[str, object] = {"name": "reverse", "options": {"scale": -1.0}}

# The first two have so little noise that the rules' own theorems hold at most steps; in the others
# noise decides.
PROBLEMS: dict[str, tuple[str, dict[str, object], float]] = {
    "quadratic": (
        "quadratic",
        {"dimension": 20, "mu": 0.01, "L": 1.0, "sigma": 5e-4},
        1.0,
    ),
    "geman-mcclure": ("geman-mcclure", {"dimension": 20, "L": 1.0, "sigma": 2e-3}, 0.4),
    "logistic": ("logistic", {"dimension": 20, "examples": 200, "batch_size": 32}, 2.0),
    "noisy quadratic": ("quadratic", {"dimension": 100, "mu": 0.5, "L": 1.0, "sigma": 1.5}, 1.0),
}


def main() -> int:
    arguments = _arguments()
    results = _loaded(arguments.load) if arguments.load else _measured(arguments)
    if arguments.save:
        saved = {
            "/".join(key): [asdict(point) for point in found] for key, found in results.items()
        }
        arguments.save.write_text(json.dumps(saved), encoding="utf-8")
    print(table(results))
    if arguments.plot:
        # Only here: the table needs no matplotlib.
        from plot import draw  # noqa: PLC0415

        draw(results, arguments.plot)
    return int(any(point.broken for points in results.values() for point in points))


def measure(setting: Setting, steps: int, seeds: int) -> Point:
    """Runs of one K with all seeds."""
    return compare(setting, [follow(setting, steps, seed) for seed in range(seeds)])


def _measured(arguments: argparse.Namespace) -> dict[tuple[str, str], list[Point]]:
    results: dict[tuple[str, str], list[Point]] = defaultdict(list)
    settings = list(_settings(arguments.problem, arguments.rule))
    # The longest first, so that no process is left alone with one at the end.
    tasks = [(s, k) for k in reversed(STEPS) if k <= arguments.steps_max for s in settings]
    start = time.monotonic()
    with ProcessPoolExecutor(arguments.processes) as pool:
        running = {pool.submit(measure, s, k, arguments.seeds): s for s, k in tasks}
        for done, future in enumerate(as_completed(running), 1):
            setting, point = running[future], future.result()
            results[setting.label, setting.rule].append(point)
            print(
                f"{done}/{len(tasks)} {time.monotonic() - start:.0f} s: {setting.label} "
                f"{setting.rule} K={point.steps} measured/bound={point.ratio:.3g}",
                flush=True,
            )
    return {
        (s.label, s.rule): sorted(results[s.label, s.rule], key=lambda point: point.steps)
        for s in settings
    }


def _settings(problem: str | None, rule: str | None) -> Iterator[Setting]:
    for label, (model, options, rate) in PROBLEMS.items():
        for name in RULES:
            if problem in {None, label} and rule in {None, name}:
                yield Setting(label, model, options, name, rate, ATTACK)


def _loaded(path: Path) -> dict[tuple[str, str], list[Point]]:
    results = {}
    for key, found in json.loads(path.read_text(encoding="utf-8")).items():
        label, rule = key.split("/")
        points = [{**point, "resilience": Resilience(**point["resilience"])} for point in found]
        results[label, rule] = [Point(**point) for point in points]
    return results


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares runs with the bound of docs/theory.md.")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--steps-max", type=int, default=STEPS[-1], help="only K up to this")
    parser.add_argument("--problem", choices=PROBLEMS, help="only this problem")
    parser.add_argument("--rule", choices=RULES, help="only this rule")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--plot", type=Path, help="draw the points, with matplotlib")
    parser.add_argument("--save", type=Path, help="keep the points, as JSON")
    parser.add_argument("--load", type=Path, help="points of an earlier --save instead of runs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
