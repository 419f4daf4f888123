"""What a start of 25 ranks goes into, to the first gradient: with a nursery, and without.

    python benchmarks/startup/measure.py [--rounds 5]

6 servers, 18 workers and the observer, cnnet, on this machine's cores, in turns; prints tables.
Processor seconds are the figure to go by where other work shares the cores. Needs psutil.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from unittest import mock

import psutil

from guanyu_mpi import launch
from guanyu_mpi.bench.machine import described
from guanyu_mpi.bench.markdown import about, markdown
from guanyu_mpi.bench.step_job import Start
from guanyu_mpi.bench.step_plan import Contender, config, planned_steps
from guanyu_mpi.run_dir import prepare_run_dir

sys.path.insert(0, str(Path(__file__).parent))

from staged_rank import FOLDER

PLAN = planned_steps(model="cnnet", servers=6, workers=18, batches=[32], updates=4, rounds=1)
CONFIG = config(PLAN, Contender.GUANYU, PLAN.batch_sizes[0])
# What the processes of a job are.
KINDS = MPIRUN, NURSERIES, STAND_INS, RANKS = "mpirun", "nurseries", "stand-ins", "ranks"


class How(StrEnum):
    """How ranks are made."""

    NURSED = "forked"
    ALONE = "each by itself"


@dataclass(frozen=True, slots=True)
class Started:
    """One start: to the first gradient, and to the end of every rank's part of the first step."""

    first_s: float
    cpu_s: dict[str, float]
    memory_bytes: int
    stages_s: dict[str, float]


class Seen(Exception):
    """All that is measured has been."""


class Watch:
    """Looks at a job until all of its ranks have told their stages."""

    def __init__(self, run_dir: Path) -> None:
        self._start = Start(CONFIG.nodes, run_dir)
        self._folder = run_dir / FOLDER
        self._cpu_s: dict[str, float] = {}
        self._memory_bytes = 0

    def look(self) -> None:
        """Raises Seen once it has seen all."""
        if self._start.seconds is None:
            self._start.look()
            if self._start.seconds is not None:
                self._cpu_s, self._memory_bytes = _used()
        if len(self._told()) == CONFIG.nodes.num_ranks:
            raise Seen

    def started(self) -> Started:
        """What it has seen."""
        stages_s: dict[str, float] = {}
        for path in self._told():
            for stage, spent_s in json.loads(path.read_text(encoding="utf-8")).items():
                stages_s[stage] = stages_s.get(stage, 0.0) + spent_s
        return Started(self._start.seconds or 0.0, self._cpu_s, self._memory_bytes, stages_s)

    def _told(self) -> list[Path]:
        return list(self._folder.glob("*.json"))


def main() -> int:
    rounds = _arguments().rounds
    machine = described(cores=len(os.sched_getaffinity(0)))
    # Ranks are to find the module that they are.
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    found: dict[How, list[Started]] = {how: [] for how in How}
    with mock.patch.dict(os.environ, PYTHONPATH=path):
        for number in range(rounds):
            for how in sorted(How, reverse=bool(number % 2)):
                found[how].append(_started(how))
                print(f"{how}: {found[how][-1].first_s:.1f} s", file=sys.stderr, flush=True)
    print(*about(machine), "", *_totals(found), "", *_stages(found), sep="\n")
    return 0


def _started(how: How) -> Started:
    honest = launch.rank_program
    program = mock.patch.object(
        launch, "rank_program", lambda at: ["staged_rank", *honest(at)[1:]]
    )
    alone = mock.patch.object(launch, "nurseries", lambda *_: nullcontext({}))
    with tempfile.TemporaryDirectory(prefix="start-") as place:
        run_dir = Path(place) / "run"
        prepare_run_dir(run_dir, CONFIG, fresh=False)
        watch = Watch(run_dir)
        with program, alone if how is How.ALONE else nullcontext():
            try:
                launch.launch(CONFIG, run_dir, watch.look)
            except Seen:
                return watch.started()
        raise SystemExit((run_dir / "logs" / "mpirun.log").read_text(encoding="utf-8"))


def _used() -> tuple[dict[str, float], int]:
    """Processor seconds of a job's processes by what they are; memory, shared pages once."""
    cpu_s, memory_bytes = dict.fromkeys(KINDS, 0.0), 0
    for kind, process in _job():
        used = process.cpu_times()
        cpu_s[kind] += used.user + used.system
        memory_bytes += process.memory_full_info().pss
    return cpu_s, memory_bytes


def _job() -> Iterator[tuple[str, psutil.Process]]:
    """The processes of the job that this one has launched, by what they are."""
    children = psutil.Process().children()
    nurseries = [child for child in children if child.name() not in ("mpirun", "prterun")]
    for child in children:
        yield (NURSERIES if child in nurseries else MPIRUN), child
        stands_in = nurseries and child not in nurseries
        yield from ((STAND_INS if stands_in else RANKS, each) for each in child.children())


def _totals(found: dict[How, list[Started]]) -> list[str]:
    def row(how: How) -> list[str]:
        runs = found[how]
        all_s = [sum(run.cpu_s.values()) for run in runs]
        kinds = [statistics.median(run.cpu_s[kind] for run in runs) for kind in KINDS]
        memory = statistics.median(run.memory_bytes for run in runs)
        first = statistics.median(run.first_s for run in runs)
        figures = (first, statistics.median(all_s), *kinds)
        return [
            f"{how}, of {len(runs)}",
            *(f"{one:.1f}" for one in figures),
            f"{memory / 1e9:.2f}",
        ]

    header = ("ranks are made", "s", "CPU s", *(f"of {kind}" for kind in KINDS), "GB")
    return ["To the first gradient, medians:", "", *markdown(header, [row(how) for how in How])]


def _stages(found: dict[How, list[Started]]) -> list[str]:
    names = dict.fromkeys(
        name for how in reversed(How) for run in found[how] for name in run.stages_s
    )
    rows = [[name, *(_stage(found[how], name) for how in How)] for name in names]
    title = "CPU s of all ranks, each to the end of its part of the first step, medians:"
    return [title, "", *markdown(("stage", *How), rows)]


def _stage(runs: Sequence[Started], name: str) -> str:
    return f"{statistics.median(run.stages_s.get(name, 0.0) for run in runs):.1f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures the start of 25 ranks.")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
