"""The commands that read what a run has left, and change nothing of it."""

import os
import sys
from pathlib import Path

import click

from guanyu_mpi.console import EXIT_FAILED, said_in_one_line, say

run_argument = click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))


@click.command()
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


@click.command()
@run_argument
@said_in_one_line
def evaluate(run_dir: Path) -> None:
    """Evaluate the median of the servers' models at the step that RUN would continue from."""
    from guanyu_mpi.assembly import Assembly
    from guanyu_mpi.run_dir import load_run

    config = load_run(run_dir)
    anywhere = config.model_copy(update={"device": config.device.anywhere})
    assembly = Assembly(anywhere, run_dir)
    model = assembly.saves.median_model()
    evaluation = assembly.objective.evaluate(model.params)
    accuracy = "" if evaluation.accuracy is None else f", accuracy {evaluation.accuracy:.4f}"
    click.echo(f"step {model.step}: loss {evaluation.loss:.6g}{accuracy}")


@click.command()
@run_argument
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--step", type=click.IntRange(1), help="Of this step, not where it continues from.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@said_in_one_line
def export(run_dir: Path, target: Path, step: int | None, force: bool) -> None:
    """Write the median of the servers' models to FILE, .pt or .safetensors, for inference."""
    from guanyu_mpi.assembly import Assembly
    from guanyu_mpi.export import check_target
    from guanyu_mpi.export import export as export_model
    from guanyu_mpi.run_dir import load_run

    check_target(target, force=force)
    assembly = Assembly(load_run(run_dir), run_dir)
    model = assembly.saves.median_model(step)
    export_model(assembly.config, model, target)
    click.echo(f"wrote step {model.step} to {target}")


@click.command()
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
