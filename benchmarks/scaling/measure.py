"""Measures jobs of 7 to 49 ranks on this machine, and what the cost model says of them.

    python benchmarks/scaling/measure.py                    half an hour on two idle cores
    python benchmarks/scaling/measure.py --rounds 1         ten minutes; but jobs differ by 30 %
    python benchmarks/scaling/measure.py --quick            only that it runs: the smallest job

Writes scaling-DATE.md and scaling-DATE.png into --into. Exit status 1 if a job that the model had
not seen before differs from it by more than 20 %.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

# A job is run and read as in the benchmark of losses.
sys.path.insert(0, str(Path(__file__).parents[1] / "losses"))

from calibration import calibrated, modelled_s
from known_costs import Known, known_costs
from loss_plan import Plan
from loss_run import Run
from scaling_plan import Job, jobs
from scaling_table import Compared, Found, Ran, lines, work_s
from sent import sent_share

from guanyu_mpi.bench.machine import ONE_THREAD, described


def main() -> int:
    arguments = _arguments()
    cores = len(os.sched_getaffinity(0))
    machine = described(cores)
    chosen = list(jobs())
    if arguments.quick:
        chosen, arguments.rounds = chosen[:1], 1
    known = {job: _known(job) for job in chosen}
    # In turns: what else the machine does meets all jobs alike.
    runs = [(job, _run(job)) for _ in range(arguments.rounds) for job in chosen]
    found = {job: Found([run for of, run in runs if of == job]) for job in chosen}
    compared = list(_compared(known, found, cores))
    path = arguments.into / f"scaling-{datetime.now(UTC):%Y-%m-%d}.md"
    text = "\n".join(lines(machine, compared))
    path.write_text(text + "\n", encoding="utf-8")
    print(text)
    _draw(compared, path.with_suffix(".png"))
    return int(not all(each.within for each in compared if not each.job.calibrates))


def _known(job: Job) -> Known:
    """Measured in a new process, whose libraries have one thread from the start, as ranks have."""
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(known_costs, job.cluster, job.dimension).result()


def _run(job: Job) -> Ran:
    run_dir = Path(tempfile.mkdtemp(prefix="guanyu-scaling-"))
    measured = Run(job, Plan(job.config), run_dir / "run").measure()
    ran = Ran(measured, sent_share(job, run_dir / "run"))
    shutil.rmtree(run_dir)
    print(f"{job.name}: {measured.updates_per_s:.3g} updates/s", flush=True)
    return ran


def _compared(known: dict[Job, Known], found: dict[Job, Found], cores: int) -> Iterator[Compared]:
    seen = [
        (job, known[job], work_s(job, each.typical.measured))
        for job, each in found.items()
        if job.calibrates
    ]
    costs = calibrated(seen, cores)
    for job, each in found.items():
        yield Compared(
            job, known[job], costs, each, modelled_s(job, known[job], costs, cores), cores
        )


def _draw(compared: Sequence[Compared], path: Path) -> None:
    # matplotlib is an extra: what was measured is written down without it.
    try:
        from scaling_plot import draw_compared  # noqa: PLC0415
    except ModuleNotFoundError as error:
        print(f"no plot: {error}; pip install 'guanyu_mpi[report]'", file=sys.stderr)
    else:
        draw_compared(compared, path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures jobs of 7 to 49 ranks here.")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each job")
    parser.add_argument("--quick", action="store_true", help="only that it runs")
    parser.add_argument(
        "--into", type=Path, default=Path(__file__).parent, help="folder of results"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
