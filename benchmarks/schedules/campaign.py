"""Draws schedules from seeds, runs each under all laws, and prints a report as Markdown.

    python benchmarks/schedules/campaign.py --schedules 100000 --jobs 2 --seed 0
    python benchmarks/schedules/campaign.py --only 4711        one again; a failing one is kept

Exit status 1 if a law did not hold, or if something that is to happen never did.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

# The schedules and their laws are the tests'; the tests are no package that could be imported.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "simulation"))

from chaos_action import Verb
from chaos_run import Verdict, run, shortened

KEPT = Path(__file__).parents[2] / "tests" / "simulation" / "schedules"
SEEDS_PER_JOB = 200
PROGRESS_S = 30.0

# What must have happened, besides every verb, for a campaign to mean anything.
MUST_HAPPEN = (
    "checkpoints damaged",
    "died between two sends",
    "gradients: a Byzantine vote counted",
    "gradients: a later vote stood in",
    "messages replaced",
    "params: a Byzantine vote counted",
    "params: a later vote stood in",
    "rejected: kind",
    "rejected: magic",
    "rejected: non-finite",
    "rejected: size",
    "rejected: step",
    "restored as a last resort",
    "restored from others",
    "steps skipped by a server",
    "steps skipped by a worker",
    "updates adopted",
    "updates: a Byzantine vote counted",
    "updates: a later vote stood in",
)


@dataclass(slots=True)
class Tally:
    """What happened in many schedules."""

    schedules: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    clusters: Counter[str] = field(default_factory=Counter)
    memory_max: float = 0.0
    drift_share_max: float = 0.0
    level_max: int = 0
    cpu_s: float = 0.0
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """One schedule more."""
        cluster = verdict.plan.cluster
        self.schedules += 1
        self.counts += verdict.counts
        self.clusters[f"{cluster.servers} + {cluster.workers}"] += 1
        if verdict.failure:
            self.failures.append((verdict.plan.seed, verdict.failure))
        if verdict.laws:
            self.memory_max = max(self.memory_max, verdict.laws.memory_max)
            self.drift_share_max = max(self.drift_share_max, verdict.laws.drift.share_max)
            self.level_max = max(self.level_max, verdict.laws.drift.level_max)

    def merge(self, other: "Tally") -> None:
        """All of another tally's schedules."""
        self.schedules += other.schedules
        self.counts += other.counts
        self.clusters += other.clusters
        self.memory_max = max(self.memory_max, other.memory_max)
        self.drift_share_max = max(self.drift_share_max, other.drift_share_max)
        self.level_max = max(self.level_max, other.level_max)
        self.cpu_s += other.cpu_s
        self.failures += other.failures

    @property
    def missing(self) -> list[str]:
        """What never happened."""
        return [name for name in (*_verbs(), *MUST_HAPPEN) if not self.counts[name]]


def main() -> int:
    arguments = _arguments()
    if arguments.only is not None:
        return _once(arguments.only)
    total, started_s = Tally(), time.monotonic()
    shown_s = started_s
    for tally in _tallies(arguments.seed, arguments.schedules, arguments.jobs):
        total.merge(tally)
        for seed, failure in tally.failures:
            _keep(seed)
            print(f"{failure}: python {sys.argv[0]} --only {seed}", file=sys.stderr, flush=True)
        if time.monotonic() - shown_s > PROGRESS_S:
            shown_s = time.monotonic()
            rate = total.schedules / (shown_s - started_s)
            print(f"{total.schedules} schedules, {rate:.0f}/s", file=sys.stderr, flush=True)
    print("\n".join(_report(total, time.monotonic() - started_s)))
    return int(bool(total.failures or total.missing))


def _once(seed: int) -> int:
    verdict = run(seed)
    if not verdict.failure:
        print(f"{seed}: all laws held in {len(verdict.actions)} events")
        return 0
    print(f"{seed}: {verdict.failure}\nkept in {_keep(seed)}")
    return 1


def _keep(seed: int) -> Path:
    """Write a failing schedule down, as short as it still fails, for the tests to replay."""
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"seed-{seed}.toml"
    path.write_text(shortened(run(seed)).scenario, encoding="utf-8")
    return path


def _tallies(seed: int, schedules: int, jobs: int) -> Iterator[Tally]:
    starts = range(seed, seed + schedules, SEEDS_PER_JOB)
    ends = [min(start + SEEDS_PER_JOB, seed + schedules) for start in starts]
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_tally, starts, ends)


def _tally(start: int, end: int) -> Tally:
    tally, before_s = Tally(), time.process_time()
    for seed in range(start, end):
        tally.add(run(seed))
    tally.cpu_s = time.process_time() - before_s
    return tally


def _report(total: Tally, wall_s: float) -> Iterator[str]:
    events = sum(total.counts[verb] for verb in _verbs())
    yield f"{total.schedules} schedules, {events} events, {len(total.failures)} failures."
    yield (
        f"{wall_s / 60:.1f} minutes, {1e3 * total.cpu_s / total.schedules:.1f} ms of CPU each. "
        f"Most votes held: {total.memory_max:.2f} of the bound; largest drift: "
        f"{total.drift_share_max:.2f} of its bound; highest level: {total.level_max}."
    )
    yield from _table("servers + workers", total.clusters)
    yield from _table("what happened", total.counts)
    if total.missing:
        yield f"\nNever happened: {', '.join(total.missing)}."
    for seed, failure in total.failures:
        yield f"- seed {seed}: {failure}"


def _table(heading: str, counts: Counter[str]) -> Iterator[str]:
    yield f"\n| {heading} | times |\n| --- | ---: |"
    for name, times in sorted(counts.items()):
        yield f"| {name} | {times} |"


def _verbs() -> list[str]:
    return [verb.value for verb in Verb]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs adversarial schedules.")
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first schedule's")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--only", type=int, metavar="SEED", help="this schedule, once")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
