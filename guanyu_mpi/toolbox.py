"""The commands that are about no run: making data files, measuring."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import click

from guanyu_mpi.console import said_in_one_line, say
from guanyu_mpi.errors import ConfigError


@click.group()
def data() -> None:
    """Make data files."""


@data.command()
@click.argument("name")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Official files, or where."
)
@click.option("--download", is_flag=True, help="Fetch the official files; they are checksummed.")
@click.option("--to", type=click.Path(path_type=Path), help="Default: data/NAME.h5.")
@said_in_one_line
def prepare(name: str, source: Path | None, download: bool, to: Path | None) -> None:
    """Make the data file of NAME: mnist, cifar10, mnist-small."""
    from guanyu_mpi.data import prepare as prepare_data

    if (source is None) != download:
        raise ConfigError("say where the official files come from: --from PATH or --download")
    prepared = prepare_data(name, to, source)
    say(prepared.warnings, "warning: ")
    click.echo(f"wrote {prepared.path}")


@click.group()
def bench() -> None:
    """Measure how fast this machine does things."""


_json_option = click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where all figures are written to.",
)
_config_argument = click.argument(
    "config_path",
    metavar="[CONFIG]",
    required=False,
    type=click.Path(path_type=Path, dir_okay=False),
)
_quick_option = click.option(
    "--quick", is_flag=True, help="Only see that it runs; the figures mean nothing."
)


@bench.command("rules")
@_config_argument
@_json_option
@_quick_option
@click.option("--dimension", "dimensions", type=int, multiple=True, help="Repeatable.")
@click.option("--senders", type=int, multiple=True, help="Repeatable.")
@click.option("--rule", "rules", metavar="NAME", multiple=True, help="Repeatable.")
@said_in_one_line
def bench_rules(
    *,
    config_path: Path | None,
    json_path: Path | None,
    quick: bool,
    dimensions: tuple[int, ...],
    senders: tuple[int, ...],
    rules: tuple[str, ...],
) -> None:
    """Time aggregation rules on one thread, beside torch and, where it is installed, byzfl.

    With CONFIG, only its rule on gradients: on as many as servers wait for, of its model.
    """
    from guanyu_mpi.bench.apart import measured_apart
    from guanyu_mpi.bench.configured import configured_rule
    from guanyu_mpi.bench.plan import plan_to_json, planned
    from guanyu_mpi.bench.report import from_json, to_json
    from guanyu_mpi.bench.tables import lines

    if config_path:
        _refuse_besides(config_path, rule=rules, senders=senders, dimension=dimensions)
        plan = configured_rule(config_path, quick=quick)
    else:
        plan = planned(rules, senders, dimensions, quick=quick)
    _check_folder(json_path)
    report = from_json(measured_apart("rules", plan_to_json(plan)))
    _tell(lines(report), to_json(report), json_path)


@bench.command("checkpoint")
@_json_option
@_quick_option
@click.option("--dimension", "dimensions", type=int, multiple=True, help="Repeatable.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="On the disk that is measured; default: here.",
)
@said_in_one_line
def bench_checkpoint(
    json_path: Path | None, quick: bool, dimensions: tuple[int, ...], directory: Path
) -> None:
    """Time a server's checkpoints beside the same bytes, written with nothing else."""
    from guanyu_mpi.bench.apart import measured_apart
    from guanyu_mpi.bench.checkpoint_report import (
        from_json,
        lines,
        plan_to_json,
        planned_checkpoints,
        to_json,
    )

    plan = planned_checkpoints(dimensions, directory, quick=quick)
    _check_folder(json_path)
    report = from_json(measured_apart("checkpoint", plan_to_json(plan)))
    _tell(lines(report), to_json(report), json_path)


@bench.command("transport")
@_config_argument
@_json_option
@_quick_option
@click.option("--size", "sizes", type=int, multiple=True, help="Bytes of a vector; repeatable.")
@said_in_one_line
def bench_transport(
    *, config_path: Path | None, json_path: Path | None, quick: bool, sizes: tuple[int, ...]
) -> None:
    """Time messages between two MPI ranks beside the same bytes, sent by MPI with nothing else.

    With CONFIG, only those between its servers and workers.
    """
    from guanyu_mpi.bench.configured import configured_messages
    from guanyu_mpi.bench.transport_job import measured_transport
    from guanyu_mpi.bench.transport_report import lines, planned_transport, to_json

    if config_path:
        _refuse_besides(config_path, size=sizes)
        plan = configured_messages(config_path, quick=quick)
    else:
        plan = planned_transport(sizes, quick=quick)
    _check_folder(json_path)
    report = measured_transport(plan)
    _tell(lines(report), to_json(report), json_path)


@bench.command("step")
@_json_option
@click.option("--model", default="cnnet", show_default=True, help="A built-in model.")
@click.option("--servers", default=6, show_default=True)
@click.option("--workers", default=18, show_default=True)
@click.option("--batch", "batches", type=int, multiple=True, help="Repeatable; default: 32, 128.")
@click.option("--updates", default=20, show_default=True, help="Of a run; more are made.")
@click.option("--rounds", default=3, show_default=True, help="Runs of everybody.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    help="An earlier --json, whose start-up this one is compared with.",
)
@said_in_one_line
def bench_step(
    *,
    json_path: Path | None,
    model: str,
    servers: int,
    workers: int,
    batches: tuple[int, ...],
    updates: int,
    rounds: int,
    against: Path | None,
) -> None:
    """Time training by GuanYu beside plain SGD and torch's DDP, and say what the time goes into.

    GuanYu declares as many Byzantine nodes as it can tolerate, and is also run without them:
    servers killed and workers slow, of one batch size, the smallest.
    """
    from guanyu_mpi.bench.step import earlier_start_s, measure
    from guanyu_mpi.bench.step_plan import planned_steps
    from guanyu_mpi.bench.step_report import to_json
    from guanyu_mpi.bench.step_tables import lines
    from guanyu_mpi.launch import find_launcher

    plan = planned_steps(
        model=model,
        servers=servers,
        workers=workers,
        batches=batches,
        updates=updates,
        rounds=rounds,
        outlives=find_launcher()[1].can_tolerate_faults,
    )
    first_start_s = earlier_start_s(against) if against else None
    _check_folder(json_path)
    report = measure(plan, partial(click.echo, err=True), first_start_s)
    _tell(lines(report), to_json(report), json_path)


def _refuse_besides(config_path: Path, **options: Sequence[object]) -> None:
    """Options that would say otherwise."""
    if given := [f"--{name}" for name, values in options.items() if values]:
        raise ConfigError(f"{', '.join(given)}: {config_path} says that, leave one of them out")


def _check_folder(json_path: Path | None) -> None:
    # Found out now and not after ten minutes.
    if json_path and not json_path.parent.is_dir():
        raise ConfigError(f"--json {json_path}: there is no folder {json_path.parent}")


def _tell(lines: Iterable[str], json: str, json_path: Path | None) -> None:
    if json_path:
        json_path.write_text(json + "\n", encoding="utf-8")
    for line in lines:
        click.echo(line)
