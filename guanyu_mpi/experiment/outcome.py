"""What came of a cell, read from what its run has left."""

from collections.abc import Iterable
from pathlib import Path

from guanyu_mpi import __version__
from guanyu_mpi.cluster import Role
from guanyu_mpi.excerpt import excerpt
from guanyu_mpi.experiment.cells import Cell, Experiment
from guanyu_mpi.experiment.folder import Folder
from guanyu_mpi.experiment.record import Record, Status
from guanyu_mpi.journal import observer_log, rank_log
from guanyu_mpi.metrics import Event, figure
from guanyu_mpi.protocol.effects import Outcome

# As much of the end of a command's output as has its last line.
TAIL_BYTES = 4096
REASON_MAX = 300  # characters


def judged(
    experiment: Experiment, cell: Cell, folder: Folder, *, exit_status: int, wall_s: float
) -> Record:
    """The record of a cell whose command has just ended."""
    run_dir = folder.run_dir(cell.name)
    status, reason = _status(cell, folder, exit_status)
    seen = excerpt(observer_log(run_dir))
    last = seen[-1] if seen else {}
    step = last.get("step")
    accuracies = [found for event in seen if (found := figure(event, "accuracy")) is not None]
    return Record(
        experiment=experiment.name,
        cell=cell.name,
        values=dict(cell.values),
        digest=cell.digest,
        status=status,
        reason=reason,
        steps=cell.config.run.steps,
        step=step if isinstance(step, int) else None,
        accuracy=figure(last, "accuracy"),
        best_accuracy=max(accuracies, default=None),
        loss=figure(last, "loss"),
        wall_s=round(wall_s, 3),
        lives=len(list((run_dir / "trace").glob("life-*.toml"))),
        how=experiment.how.value,
        version=__version__,
    )


def _status(cell: Cell, folder: Folder, exit_status: int) -> tuple[Status, str]:
    if exit_status == 0:
        return Status.FINISHED, ""
    diverged = _diverged(cell, folder.run_dir(cell.name))
    if diverged:
        return Status.DIVERGED, diverged
    said = _last_line(folder.log_path(cell.name))
    return Status.FAILED, f"exit status {exit_status}" + (f": {said}" if said else "")


def _diverged(cell: Cell, run_dir: Path) -> str:
    """Why the run has diverged, in the words of an honest server; empty if none says so."""
    cluster = cell.config.nodes
    for node in cluster.nodes(Role.SERVER):
        if node in cell.config.attackers:
            continue
        for event in _halts(excerpt(rank_log(run_dir, cluster.rank(node)))):
            if event.get("outcome") == Outcome.DIVERGED.value:
                return f"at step {event.get('step')}: {event.get('reason')}"[:REASON_MAX]
    return ""


def _halts(events: Iterable[Event]) -> list[Event]:
    """How the newest life of a node ended, if it has."""
    return [event for event in events if event.get("event") == "halted"][-1:]


def _last_line(path: Path) -> str:
    """The last line of a command's output, as far as it can be printed."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = [line for line in lines if line.strip()]
    return "".join(filter(str.isprintable, said[-1]))[:REASON_MAX] if said else ""
