"""Feeds every reader of what others wrote its share of inputs, and prints a table.

    python benchmarks/fuzz/campaign.py                               all, about ten minutes
    python benchmarks/fuzz/campaign.py --share 0.01 --target frames
    python benchmarks/fuzz/campaign.py --target configs --index 405  one input again, in this
                                                                     process

Inputs are honest ones with a few changes, a pure function of --seed and the index. Where atheris
is installed (pip install 'guanyu_mpi[fuzz]'), frames and configurations are hunted once more with
its guidance by coverage. Exit status 1 if anything but documented errors was seen.
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

# The targets are the tests'; the tests are no package that could be imported.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "fuzz"))

from apart import hunt_apart
from fuzz_targets import make
from guided import guided_apart
from hunt import Hunt
from mutations import mutation

RUNS = {
    "frames": 1_000_000,
    "checkpoints": 100_000,
    "data files": 10_000,
    "configs": 100_000,
    "done-files": 50_000,
    "event logs": 5_000,
    "traces": 20_000,
}
GUIDED_RUNS = {"frames": 1_000_000, "configs": 50_000}
# A crash costs the rest of a batch, and a child keeps what a library leaks.
BATCH = 100_000
# What allocators keep to themselves; a leak of 100 bytes per input would be 10 MB in a batch.
GROWN_MAX_BYTES = 8 << 20

HEADINGS = ("reader", "inputs", "taken", "failures", "slowest", "memory grown", "seconds")


def main() -> int:
    """Hunt what was asked for, and say what came of it."""
    arguments = _arguments()
    if arguments.index is not None:
        return _again(arguments.target, arguments.seed, arguments.index)
    names = [arguments.target] if arguments.target else list(RUNS)
    print(_line(HEADINGS), _line("---" for _ in HEADINGS), sep="\n", flush=True)
    failed = False
    for name in names:
        runs = max(1, int(RUNS[name] * arguments.share))
        started_s = time.monotonic()
        found = hunt_apart(name, runs, arguments.seed, BATCH)
        failed |= _tell(name, found, time.monotonic() - started_s, arguments.seed)
    if importlib.util.find_spec("atheris") is None:
        print("\natheris is not installed: nothing was guided by coverage")
        return int(failed)
    for name in (name for name in names if name in GUIDED_RUNS):
        failed |= guided_apart(name, max(1, int(GUIDED_RUNS[name] * arguments.share)))
    return int(failed)


def _tell(name: str, found: Hunt, seconds: float, seed: int) -> bool:
    """Print a row, and how to repeat what failed; whether anything did."""
    grown = f"{found.grown_bytes / 2**20:.1f} MiB"
    row = (name, f"{found.runs:,}", f"{found.accepted / found.runs:.0%}", len(found.failures))
    print(_line((*row, f"{found.slowest_s * 1e3:.0f} ms", grown, f"{seconds:.0f}")), flush=True)
    for failure in found.failures:
        repeat = f"--target '{name}' --seed {seed} --index {failure.index}"
        print(f"{failure.error}: python benchmarks/fuzz/campaign.py {repeat}", flush=True)
    return bool(found.failures) or found.grown_bytes > GROWN_MAX_BYTES


def _again(name: str, seed: int, index: int) -> int:
    """Feed one input here, so that what it raises is seen whole."""
    with tempfile.TemporaryDirectory() as directory:
        target = make(name, Path(directory))
        raw = mutation(seed, index, target.corpus, target.words)
        print(f"{len(raw)} bytes: {raw[:200]!r}")
        print("taken" if target.feed(raw) else "refused")
    return 0


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzzes the readers of what others wrote.")
    parser.add_argument("--target", choices=RUNS, help="only this one")
    parser.add_argument("--share", type=float, default=1.0, help="of the number of inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--index", type=int, help="only this input, in this process")
    arguments = parser.parse_args()
    if arguments.index is not None and not arguments.target:
        parser.error("--index needs --target")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
