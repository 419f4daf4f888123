"""The command `guanyu` and how runs are started; reading.py has what reads them.

Exit status: 0 finished; 85 saved before the end because of a signal or the time, and the same
command continues (130 where `launch` had a Ctrl-C); 2 the user's input is wrong; 1 anything else.
"""

import shlex
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import click

from guanyu_mpi import __version__, studies
from guanyu_mpi.console import EXIT_FAILED, EXIT_WRONG_INPUT, said_in_one_line, say
from guanyu_mpi.cores import hold_back
from guanyu_mpi.errors import CheckpointError, ConfigError, DataError
from guanyu_mpi.heap import keep_freed_memory
from guanyu_mpi.processes import ToldToLeave, die_with_parent, launched_as
from guanyu_mpi.reading import evaluate, export, inspect, replay
from guanyu_mpi.toolbox import bench, data

config_argument = click.argument(
    "config_path", metavar="CONFIG", type=click.Path(path_type=Path, dir_okay=False)
)
set_option = click.option(
    "--set", "overrides", metavar="SECTION.KEY=VALUE", multiple=True, help="Override a key."
)
accept_fewer_option = click.option(
    "--accept-fewer",
    is_flag=True,
    help="Where no step is held by enough servers, take the median of what there is.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Train torch models by SGD over MPI with no trusted rank."""


@main.command()
@config_argument
@set_option
@click.option(
    "--run-dir", type=click.Path(path_type=Path, file_okay=False), help="Whose restart to tell."
)
@click.option("--slurm", is_flag=True, help="Say what to ask Slurm for, and who is on which node.")
@click.option("--nodes", type=int, help="How many, with --slurm; default: one for every server.")
@said_in_one_line
def check(
    config_path: Path,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    *,
    slurm: bool,
    nodes: int | None,
) -> None:
    """Say what CONFIG means: algorithm, bounds, layout, traffic, memory, MPI, and device."""
    from guanyu_mpi import placement
    from guanyu_mpi.config import load_config
    from guanyu_mpi.preflight import report, restart, warnings
    from guanyu_mpi.summary import planned
    from guanyu_mpi.transport.library import library_in_use

    config = load_config(config_path, overrides)
    plan = restart(config, run_dir) if run_dir else None
    if slurm or nodes is not None:
        placed = placement.placement(config.nodes, nodes)
        click.echo("\n".join(placement.report(placed)))
        say(placement.warnings(placed), "warning: ")
        return
    for line in report(config):
        click.echo(line)
    say(warnings(config), "warning: ")
    library = library_in_use()
    click.echo(f"{library}: survives {library.survives}")
    if config.data is not None:
        click.echo(config.device.on(local_rank=0).described())
    for line in planned(plan) if plan else ():
        click.echo(line)


@main.command()
@config_argument
@click.option("--run-dir", type=click.Path(path_type=Path, file_okay=False))
@set_option
@click.option("--fresh", is_flag=True, help="Refuse a directory that holds checkpoints.")
@accept_fewer_option
@click.option(
    "--launcher", type=shlex.split, default="", help="Instead of mpirun: 'srun --mpi=pmix'."
)
@said_in_one_line
def launch(
    config_path: Path,
    run_dir: Path | None,
    overrides: tuple[str, ...],
    *,
    fresh: bool,
    accept_fewer: bool,
    launcher: list[str],
) -> None:
    """Train as CONFIG says, here or in this allocation; again, continue from checkpoints."""
    told = click.get_current_context().with_resource(ToldToLeave())
    from guanyu_mpi.config import load_config
    from guanyu_mpi.launch import launch as launch_job
    from guanyu_mpi.preflight import accept_fewer as accept
    from guanyu_mpi.preflight import warnings
    from guanyu_mpi.progress import progress_bar
    from guanyu_mpi.run_dir import locked, prepared
    from guanyu_mpi.summary import launched

    config = load_config(config_path, overrides)
    run_dir = run_dir or Path("runs") / config.run.name
    # Locked first: what is written here must not change under a job that runs.
    with locked(run_dir), prepared(run_dir, config, fresh=fresh) as put_back:
        say(accept(config, run_dir) if accept_fewer else (), "warning: ")
        say(warnings(config), "warning: ")
        with progress_bar(run_dir, config.run.name, config.run.steps, told) as look:
            verdict = launch_job(config, run_dir, look, launcher, told)
        if verdict.exit_status == EXIT_WRONG_INPUT:
            put_back()
    for line in launched(config, run_dir, verdict):
        click.echo(line)
    sys.exit(verdict.exit_status)


@main.command()
@config_argument
@click.option("--run-dir", required=True, type=click.Path(path_type=Path, file_okay=False))
@set_option
@accept_fewer_option
@said_in_one_line
def run(config_path: Path, run_dir: Path, overrides: tuple[str, ...], accept_fewer: bool) -> None:
    """Be one rank of a run; what mpirun and srun start."""
    die_with_parent()
    hold_back()
    keep_freed_memory()
    told = ToldToLeave()
    told.listen()
    from guanyu_mpi.config import load_config
    from guanyu_mpi.job import refuse, run_rank
    from guanyu_mpi.preflight import accept_fewer as accept

    try:
        config = load_config(config_path, overrides)
    except (ConfigError, DataError) as error:
        if launched_as() is None:
            raise
        # The others may have nothing to refuse, and would wait for this rank.
        refuse(str(error))
    # Before MPI is there, and so before any other rank can get as far as reading checkpoints.
    if accept_fewer and launched_as() in (None, 0):
        # What cannot be accepted either, all ranks together refuse.
        with suppress(CheckpointError):
            say(accept(config, run_dir), "warning: ")
    run_rank(config, run_dir, told)


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

    keep_freed_memory()
    config = load_config(config_path, overrides)
    with locked(run_dir) if run_dir else nullcontext():
        if run_dir:
            prepare_run_dir(run_dir, config, fresh=False)
        say(warnings(config), "warning: ")
        result = run_simulation(config, run_dir)
    for line in simulated(config, result):
        click.echo(line)
    sys.exit(EXIT_FAILED if result.unfinished(config) else 0)


for command in (inspect, evaluate, export, replay):
    main.add_command(command)
for command in (studies.experiment, studies.report, bench, data):
    main.add_command(command)


if __name__ == "__main__":
    main()
