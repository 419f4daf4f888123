"""Plants one bug after another and counts the schedules until it is found; a Markdown table.

    python benchmarks/schedules/mutations.py --schedules 2000 --seed 0 --jobs 2

Exit status 1 if a bug is not found.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# The bugs and the schedules are the tests'; the tests are no package that could be imported.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "simulation"))

from planted_bugs import BUGS, Catch, caught

FAILURE_MAX = 100


def main() -> int:
    arguments = _arguments()
    print("| planted bug | schedules until found | how |\n| --- | ---: | --- |")
    found = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        last = arguments.seed + arguments.schedules
        catches = pool.map(
            catch, range(len(BUGS)), [arguments.seed] * len(BUGS), [last] * len(BUGS)
        )
        for bug, one in zip(BUGS, catches, strict=True):
            found.append(bool(one.failure))
            until = one.schedules if one.failure else f"not in {one.schedules}"
            print(f"| {bug.name} | {until} | {one.failure[:FAILURE_MAX]} |", flush=True)
    print(f"\n{sum(found)} of {len(BUGS)} bugs found.")
    return int(not all(found))


def catch(index: int, first: int, last: int) -> Catch:
    """One bug, in a process of its own so that no other is planted."""
    return caught(BUGS[index], range(first, last))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Plants bugs, and looks for them.")
    parser.add_argument("--schedules", type=int, default=2000, help="at most, for each bug")
    parser.add_argument("--seed", type=int, default=0, help="the first schedule's")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
