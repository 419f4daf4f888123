"""The command `guanyu` and what it does with runs; toolbox.py has what is about no run.

Exit status: 0 finished, 2 the user's input is wrong, 1 anything else.
"""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from guanyu_mpi import __version__
from guanyu_mpi.console import said_in_one_line, say
from guanyu_mpi.processes import die_with_parent
from guanyu_mpi.toolbox import bench, data

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

config_argument = click.argument(
    "config_path", metavar="CONFIG", type=click.Path(path_type=Path, dir_okay=False)
)
set_option = click.option(
    "--set", "overrides", metavar="SECTION.KEY=VALUE", multiple=True, help="Override a key."
)
run_argument = click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Train torch models by SGD over MPI with no trusted rank."""


@main.command()
@config_argument
@set_option
@said_in_one_line
def check(config_path: Path, overrides: tuple[str, ...]) -> None:
    """Say what CONFIG means: algorithm, bounds, layout, traffic, memory, and what is survived."""
    from guanyu_mpi.config import load_config
    from guanyu_mpi.preflight import report, warnings
    from guanyu_mpi.transport.library import library_in_use

    config = load_config(config_path, overrides)
    for line in report(config):
        click.echo(line)
    say(warnings(config), "warning: ")
    library = library_in_use()
    click.echo(f"{library}: survives {library.survives}")


@main.command()
@config_argument
@click.option("--run-dir", type=click.Path(path_type=Path, file_okay=False))
@set_option
@click.option("--fresh", is_flag=True, help="Refuse a directory that holds a run.")
@said_in_one_line
def launch(
    config_path: Path, run_dir: Path | None, overrides: tuple[str, ...], fresh: bool
) -> None:
    """Train as CONFIG says on this machine; the same command again continues from checkpoints."""
    from guanyu_mpi.config import load_config
    from guanyu_mpi.launch import launch as launch_job
    from guanyu_mpi.preflight import warnings
    from guanyu_mpi.progress import progress_bar
    from guanyu_mpi.run_dir import locked, prepare_run_dir
    from guanyu_mpi.summary import launched

    config = load_config(config_path, overrides)
    run_dir = run_dir or Path("runs") / config.run.name
    try:
        # Locked first: what is written here must not change under a job that runs.
        with locked(run_dir):
            prepare_run_dir(run_dir, config, fresh=fresh)
            say(warnings(config), "warning: ")
            with progress_bar(run_dir, config.run.name, config.run.steps) as look:
                verdict = launch_job(config, run_dir, look)
    except KeyboardInterrupt:
        say([f"interrupted; the same command continues {run_dir}"])
        sys.exit(EXIT_INTERRUPTED)
    for line in launched(config, run_dir, verdict):
        click.echo(line)
    sys.exit(verdict.exit_status)


@main.command()
@config_argument
@click.option("--run-dir", required=True, type=click.Path(path_type=Path, file_okay=False))
@set_option
@said_in_one_line
def run(config_path: Path, run_dir: Path, overrides: tuple[str, ...]) -> None:
    """Be one rank of a run; what mpirun and srun start."""
    die_with_parent()
    from guanyu_mpi.config import load_config
    from guanyu_mpi.job import run_rank

    run_rank(load_config(config_path, overrides), run_dir)


@main.command()
@config_argument
@click.option("--run-dir", type=click.Path(path_type=Path, file_okay=False))
@set_option
@said_in_one_line
def simulate(config_path: Path, run_dir: Path | None, overrides: tuple[str, ...]) -> None:
    """Train as CONFIG says in one process and virtual time, the same every time."""
    from guanyu_mpi.config import load_config
    from guanyu_mpi.preflight import warnings
    from guanyu_mpi.run_dir import locked, prepare_run_dir
    from guanyu_mpi.simulation import simulate as run_simulation
    from guanyu_mpi.summary import simulated

    config = load_config(config_path, overrides)
    with locked(run_dir) if run_dir else nullcontext():
        if run_dir:
            prepare_run_dir(run_dir, config, fresh=False)
        say(warnings(config), "warning: ")
        result = run_simulation(config, run_dir)
    for line in simulated(config, result):
        click.echo(line)
    sys.exit(EXIT_FAILED if result.unfinished(config) else 0)


@main.command()
@run_argument
@said_in_one_line
def inspect(run_dir: Path) -> None:
    """List the checkpoints of RUN and where a restart would begin, and how its ranks fare."""
    from guanyu_mpi.assembly import Assembly
    from guanyu_mpi.run_dir import load_run
    from guanyu_mpi.standing import standings
    from guanyu_mpi.summary import fared, surveyed

    assembly = Assembly(load_run(run_dir), run_dir)
    for line in surveyed(assembly.saves.survey()):
        click.echo(line)
    for line in fared(standings(assembly.cluster, run_dir), assembly.cluster):
        click.echo(line)


@main.command()
@run_argument
@said_in_one_line
def evaluate(run_dir: Path) -> None:
    """Evaluate the median of the servers' models at the step that RUN would continue from."""
    from guanyu_mpi.assembly import Assembly
    from guanyu_mpi.run_dir import load_run

    assembly = Assembly(load_run(run_dir), run_dir)
    model = assembly.saves.median_model()
    evaluation = assembly.objective.evaluate(model.params)
    accuracy = "" if evaluation.accuracy is None else f", accuracy {evaluation.accuracy:.4f}"
    click.echo(f"step {model.step}: loss {evaluation.loss:.6g}{accuracy}")


@main.command()
@run_argument
@click.option("--from", "first", type=click.IntRange(0), help="First step to examine.")
@click.option("--to", "last", type=click.IntRange(0), help="Last step to examine.")
@click.option("--server", type=click.IntRange(0), help="Whose steps; all servers' if absent.")
@said_in_one_line
def replay(run_dir: Path, first: int | None, last: int | None, server: int | None) -> None:
    """Rerun RUN from its trace: does it arrive, bit for bit, at what its servers have saved?

    With --from, --to or --server, say who was in the quorums of these steps, and their scores.
    """
    # As in the ranks of a job, and before torch is there: threads can change the last bits.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from guanyu_mpi.replay import Archive, Unreproducible, examined, verified

    archive = Archive(run_dir)
    say(archive.remarks, "warning: ")
    try:
        if first is None and last is None and server is None:
            sys.exit(0 if verified(archive, run_dir, click.echo) else EXIT_FAILED)
        examined(archive, run_dir, (first, last), server, click.echo)
    except Unreproducible as fault:
        say([f"not reproducible: {fault}", *archive.injected], "guanyu: ")
        sys.exit(EXIT_FAILED)


main.add_command(bench)
main.add_command(data)


if __name__ == "__main__":
    main()
