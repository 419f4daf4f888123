"""One run of ours, started as `guanyu launch` does, and what is measured of it."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from guanyu_mpi.bench.step_faults import not_slow, not_struck
from guanyu_mpi.bench.step_logs import parts, updates_per_s
from guanyu_mpi.bench.step_plan import Contender, StepPlan, config
from guanyu_mpi.bench.step_report import Measured
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.config.injections import injections
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.journal import rank_log
from guanyu_mpi.launch import launch
from guanyu_mpi.metrics import read_events
from guanyu_mpi.run_dir import prepare_run_dir

SAID_CHARACTERS = 500


class Start:
    """How long it takes from now to the first gradient that a worker tells of."""

    def __init__(self, cluster: Cluster, run_dir: Path) -> None:
        self.seconds: float | None = None
        self._begun_s = time.monotonic()
        workers = cluster.nodes(Role.WORKER)
        self._logs = [rank_log(run_dir, cluster.rank(worker)) for worker in workers]

    def look(self) -> None:
        """Whether there is one; called again and again."""
        if self.seconds is None and any(map(_has_gradient, self._logs)):
            self.seconds = time.monotonic() - self._begun_s


def measured_job(plan: StepPlan, contender: Contender, batch_size: int) -> Measured:
    """Train as one of our contenders; raises InvariantError if that does not come to its end."""
    chosen = config(plan, contender, batch_size)
    with TemporaryDirectory(prefix="guanyu-bench-") as place:
        run_dir = Path(place) / "run"
        prepare_run_dir(run_dir, chosen, fresh=False)
        start = Start(chosen.nodes, run_dir)
        verdict = launch(chosen, run_dir, start.look)
        if not verdict.finished or start.seconds is None:
            raise InvariantError(f"{contender}, batch {batch_size}: {_said(run_dir)}")
        faults = injections(chosen.nodes, chosen.faults)
        speed = updates_per_s(plan, chosen.nodes, run_dir)
        used = parts(plan, chosen.nodes, run_dir, speed, faults)
        wrong = not_struck(faults, chosen.nodes, run_dir)
    measured = Measured(contender, batch_size, speed, start.seconds, used)
    wrong += not_slow(measured)
    if wrong:
        raise InvariantError(f"{contender}, batch {batch_size}: {'; '.join(wrong)}")
    return measured


def _has_gradient(log: Path) -> bool:
    return any(event.get("event") == "gradient" for event in read_events(log))


def _said(run_dir: Path) -> str:
    """The last that the ranks have said."""
    said = (run_dir / "logs" / "mpirun.log").read_text(encoding="utf-8", errors="replace")
    return said.strip()[-SAID_CHARACTERS:] or "it did not finish"
