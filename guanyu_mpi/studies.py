"""The commands that are about many runs: doing an experiment, reporting."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guanyu_mpi.console import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_LEFT, said_in_one_line, say
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.processes import ToldToLeave

if TYPE_CHECKING:
    from guanyu_mpi.experiment import Cell, Experiment, Folder, Record


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--run-dir", type=click.Path(path_type=Path, file_okay=False))
@click.option("--jobs", type=click.IntRange(1), help="Cells at once; if absent by cores.")
@click.option("--cell", "only", type=click.IntRange(0), help="Only this one of those listed.")
@click.option("--list", "listing", is_flag=True, help="Say what the cells are, and run none.")
@said_in_one_line
def experiment(
    file: Path, run_dir: Path | None, jobs: int | None, only: int | None, listing: bool
) -> None:
    """Run the cells of FILE that are not done yet; the same command again continues."""
    from guanyu_mpi.experiment import Campaign, Folder, load_experiment, usual_jobs

    described = load_experiment(file)
    folder = Folder(run_dir or Path("runs") / described.name)
    if only is not None and only >= len(described.cells):
        raise ConfigError(f"--cell {only}: the cells are 0 to {len(described.cells) - 1} ({file})")
    chosen = described.cells if only is None else described.cells[only : only + 1]
    if listing:
        for cell in chosen:
            click.echo(f"{cell.index:5}  {_state(folder, cell):8}  {cell.name}")
        return
    folder.prepare(described)
    told = ToldToLeave()
    todo = [cell for cell in chosen if _state(folder, cell) != "done"]
    say([f"{described.name}: {len(chosen) - len(todo)} of {len(chosen)} cells are done"])
    failed: list[str] = []

    def report(cell: "Cell", result: "Record | str") -> None:
        say([_told(described, cell, result)])
        if isinstance(result, str) or not result.done:
            failed.append(cell.name)

    campaign = Campaign(described, folder, told, report)
    with told:
        campaign.run(todo, jobs or usual_jobs(described))
    if told.by is not None or campaign.left is not None:
        why = f"of {told.by.name}" if told.by else f"{campaign.left} has saved and left"
        say([f"left because {why}; the same command continues {folder.root}"])
        sys.exit(EXIT_INTERRUPTED if told.by is signal.SIGINT else EXIT_LEFT)
    click.echo(_summary(chosen, failed, folder))
    sys.exit(EXIT_FAILED if failed else 0)


@click.command()
@click.argument(
    "paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
@said_in_one_line
def report(paths: tuple[Path, ...], out: Path) -> None:
    """Write one page on runs and experiments, for any browser and without a network."""
    from guanyu_mpi.report import page

    # Found out now and not after reading everything.
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}")
    made = page(paths)
    if len(made.left_out) == len(paths):
        raise ConfigError(*made.left_out)
    out.write_text(made.html, encoding="utf-8")
    say(made.left_out, "not shown: ")
    click.echo(f"wrote {out}")


def _state(folder: "Folder", cell: "Cell") -> str:
    record = folder.record(cell.name, cell.digest)
    if record is None:
        return "to do"
    return "done" if record.done else record.status.value


def _told(described: "Experiment", cell: "Cell", result: "Record | str") -> str:
    place = f"[{cell.index + 1}/{len(described.cells)}] {cell.name}"
    if isinstance(result, str):
        return f"{place}: not begun: {result}"
    words = [result.status.value + (f" {result.reason}" if result.reason else "")]
    words += [] if result.step is None else [f"step {result.step}"]
    words += [] if result.accuracy is None else [f"accuracy {result.accuracy:.3f}"]
    words += [] if result.loss is None else [f"loss {result.loss:.3g}"]
    return f"{place}: {', '.join(words)}, {result.wall_s:.1f} s"


def _summary(chosen: "tuple[Cell, ...]", failed: list[str], folder: "Folder") -> str:
    done = f"{len(chosen) - len(failed)} of {len(chosen)} cells are done"
    again = "; the same command tries the others again" if failed else ""
    return f"{done}{again}: guanyu report {folder.root} --out report.html"
