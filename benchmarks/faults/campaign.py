"""Nemesis: real MPI jobs, struck by random faults within the bounds, each judged.

    python benchmarks/faults/campaign.py --runs 200 --transport sm --results results.jsonl
    python benchmarks/faults/campaign.py --transport sm --only 17        one run again, kept
    python benchmarks/faults/campaign.py --table results.jsonl           the table so far

Runs that are in the file of results are not run again. Exit status 1 if anything did not hold,
with the command that repeats it.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from fault_hosts import TOOLS_VARIABLE, Scissors, hosts, why_not
from fault_plan import Plan, draw, fault_free
from fault_table import Row, table
from fault_trial import run
from fault_verdict import Ended, against, ended, growth_mib, worst

from guanyu_mpi.config import load_config
from guanyu_mpi.run_dir import config_path

TRANSPORTS = ("sm", "tcp", "hosts")
NUM_HOSTS = 6
# The accuracy of one network is not that of the next: it is nearly a point from run to run.
RUNS_WITHOUT_FAULTS = 3
TCP = {"OMPI_MCA_btl": "self,tcp", "OMPI_MCA_btl_tcp_if_include": "lo"}


class Campaign:
    """Runs plans in a directory; fault-free runs of the same problem are made once."""

    def __init__(
        self, seed: int, transport: str, directory: Path, variables: dict[str, str]
    ) -> None:
        self._seed = seed
        self._transport = transport
        self._directory = directory
        self._variables = variables
        self._free: dict[str, Ended] = {}
        self._lock = Lock()

    def judge(self, number: int, *, keep: bool = False) -> Row:
        """Run one plan, and say how it ended."""
        plan = draw(self._seed, self._transport, number)
        free = self._fault_free(plan)
        scissors = Scissors(plan.cut) if plan.cut else None
        run_dir = self._directory / f"run-{number:04d}"
        tick = scissors.look if scissors else lambda _: None
        trial = run(plan, run_dir, self._variables, tick)
        if scissors and scissors.cut_at_step is not None:
            # -1: the run has ended first.
            scissors.heal(-1)
        found = ended(plan, trial)
        found.wrong += against(found, free, load_config(config_path(run_dir)))
        row = {**self._row(number, plan, found, free), "wall_s": round(trial.wall_s, 1)}
        if scissors:
            row["cut"] = [scissors.cut_at_step, scissors.healed_at_step]
            if scissors.cut_at_step is None:
                found.wrong.append("the link was never cut")
        if not found.wrong and not keep:
            shutil.rmtree(run_dir)
        return row

    def _row(self, number: int, plan: Plan, found: Ended, free: Ended) -> Row:
        attacks = plan.config.get("attack", {})
        return {
            "seed": self._seed,
            "transport": self._transport,
            "number": number,
            "problem": plan.problem,
            "faults": [fault["kind"] for fault in found.due],
            "attacks": sorted(attacks),
            "hit": sorted(plan.hit),
            "wrong": found.wrong,
            "loss": found.loss,
            "accuracy": found.accuracy,
            "free_loss": free.loss,
            "free_accuracy": free.accuracy,
            "initial": free.initial_loss,
            "growth_mib": round(growth_mib(found, free), 1),
        }

    def _fault_free(self, plan: Plan) -> Ended:
        """The worst of a few runs in which nothing happened to anybody."""
        with self._lock:
            if plan.problem not in self._free:
                times = RUNS_WITHOUT_FAULTS if "data" in plan.config else 1
                self._free[plan.problem] = worst(self._run_free(plan, t) for t in range(times))
            return self._free[plan.problem]

    def _run_free(self, plan: Plan, time: int) -> Ended:
        name = plan.problem.replace(" ", "").replace(",", "-")
        free, run_dir = fault_free(plan), self._directory / f"free-{name}-{time}"
        found = ended(free, run(free, run_dir, self._variables))
        if found.wrong:
            raise SystemExit(f"without any fault, in {run_dir}: {found.wrong}")
        error = f"accuracy {found.accuracy}" if found.accuracy else f"error {found.loss:.4g}"
        print(f"without faults: {plan.problem}: {error}", flush=True)
        return found


def main() -> int:
    arguments = _arguments()
    if arguments.table:
        print(*table(_read(arguments.table)), sep="\n")
        return 0
    reason = why_not(arguments.hosts_tools) if arguments.transport == "hosts" else ""
    if reason:
        print(f"skipped: {reason}")
        return 0
    with ExitStack() as stack:
        directory = arguments.directory or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-"))
        )
        directory.mkdir(parents=True, exist_ok=True)
        variables = TCP if arguments.transport == "tcp" else {}
        if arguments.transport == "hosts":
            up = hosts(arguments.hosts_tools, NUM_HOSTS, directory)
            variables = stack.enter_context(up)
        campaign = Campaign(arguments.seed, arguments.transport, directory, variables)
        rows = list(_judged(campaign, arguments))
    print(*table(rows), sep="\n")
    return int(any(row["wrong"] for row in rows))


def _judged(campaign: Campaign, arguments: argparse.Namespace) -> Iterator[Row]:
    """Rows of all runs, those of earlier campaigns first; each is written as soon as it ends."""
    if arguments.only is not None:
        yield _told(campaign.judge(arguments.only, keep=True))
        return
    before = _before(arguments)
    yield from before.values()
    numbers = [number for number in range(arguments.runs) if number not in before]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for row in pool.map(campaign.judge, numbers):
            if arguments.results:
                with arguments.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            yield _told(row)


def _before(arguments: argparse.Namespace) -> dict[object, Row]:
    """Rows of the same campaign that are in the file of results, by number."""
    if not arguments.results or not arguments.results.exists():
        return {}
    same = {"seed": arguments.seed, "transport": arguments.transport}
    rows = _read(arguments.results)
    return {row["number"]: row for row in rows if same.items() <= row.items()}


def _told(row: Row) -> Row:
    wrong = row["wrong"] or "right"
    when = time.strftime("%H:%M:%S")
    cut = f", link cut and healed at steps {row['cut']}" if "cut" in row else ""
    print(f"{when} {row['number']}: {row['problem']}, {row['faults']}{cut}: {wrong}", flush=True)
    if row["wrong"]:
        repeat = f"--transport {row['transport']} --seed {row['seed']} --only {row['number']}"
        print(f"  again: python benchmarks/faults/campaign.py {repeat}", flush=True)
    return row


def _read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Strikes real MPI jobs with random faults.")
    parser.add_argument("--runs", type=int, default=10, help="runs 0 to RUNS - 1")
    parser.add_argument("--only", type=int, help="only the run of this number; it is kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--transport", choices=TRANSPORTS, default="sm")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; 1 with hosts")
    parser.add_argument("--directory", type=Path, help="of the runs; those that fail are kept")
    parser.add_argument("--results", type=Path, help="file of results, a line per run")
    parser.add_argument("--table", type=Path, help="only print the table of this file")
    parser.add_argument("--hosts-tools", default=os.environ.get(TOOLS_VARIABLE, ""))
    arguments = parser.parse_args()
    if arguments.transport == "hosts":
        # A cut link is cut for every run there is.
        arguments.jobs = 1
    return arguments


if __name__ == "__main__":
    sys.exit(main())
