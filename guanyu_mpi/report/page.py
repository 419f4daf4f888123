"""One page on runs and experiments: everything it needs is in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from guanyu_mpi import __version__
from guanyu_mpi.report.blocks import grid, listed, section, table
from guanyu_mpi.report.lines import figure
from guanyu_mpi.report.markup import Markup, element, joined, paragraph, text
from guanyu_mpi.report.numerals import duration, number, whole
from guanyu_mpi.report.overlay import charts
from guanyu_mpi.report.run import Run, UnreadableError, read_run
from guanyu_mpi.report.run_section import run_section
from guanyu_mpi.report.study import Study, is_experiment, read_study
from guanyu_mpi.report.study_section import study_section

COMPARED_HEADER = ("run", "updates", "of", "accuracy", "loss", "drift", "time")


@dataclass(frozen=True, slots=True)
class Page:
    """The page, and what there is nothing to show of, with the reason."""

    html: str
    left_out: tuple[str, ...]


def page(paths: Sequence[Path]) -> Page:
    """The page on run directories and directories of experiments."""
    runs: list[Run] = []
    studies: list[Study] = []
    left_out: list[str] = []
    for path, name in zip(paths, _names(paths), strict=True):
        try:
            if is_experiment(path):
                studies.append(read_study(path))
            else:
                runs.append(read_run(path, name))
        except UnreadableError as fault:
            left_out.append(str(fault))
    body = joined(_header(runs, studies, left_out), *_sections(runs, studies), _footer())
    return Page(_document(body), tuple(left_out))


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names where they tell the runs apart, else their paths."""
    short = [path.resolve().name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _sections(runs: Sequence[Run], studies: Sequence[Study]) -> Iterator[Markup]:
    yield from map(study_section, studies)
    if len(runs) > 1:
        yield _comparison(runs)
    yield from map(run_section, runs)


def _header(runs: Sequence[Run], studies: Sequence[Study], left_out: Sequence[str]) -> Markup:
    shown = [
        f"{len(found)} {noun}{'' if len(found) == 1 else 's'}"
        for noun, found in (("experiment", studies), ("run", runs))
        if found
    ]
    unfinished = [f"{run.name}: {run.unfinished}" for run in runs if run.unfinished]
    told = [*(f"Not shown: {fault}" for fault in left_out), *unfinished]
    when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return element(
        "header",
        element("h1", text(_title(runs, studies))),
        paragraph(f"{' and '.join(shown) or 'nothing to show'} · {when}", class_="small"),
        listed(told) if told else None,
    )


def _title(runs: Sequence[Run], studies: Sequence[Study]) -> str:
    names = [*(study.outline.name for study in studies), *(run.name for run in runs)]
    return names[0] if len(names) == 1 else "GuanYu: report"


def _comparison(runs: Sequence[Run]) -> Markup:
    together = {run.name: [run.seen] for run in runs}
    # Seconds of a simulation are not those of a clock.
    times = {run.time for run in runs}
    time = times.pop() if len(times) == 1 else ""
    return section(
        "Runs compared",
        "",
        table(COMPARED_HEADER, map(_compared, runs), numeric_from=1),
        grid([figure(chart) for chart in charts(together, time)]),
    )


def _compared(run: Run) -> list[str]:
    last = run.seen.looks[-1]
    figures = (last.accuracy, last.loss, last.drift)
    time = duration(last.time_s) + (" (virtual)" if run.virtual else "")
    steps = whole(run.config.run.steps)
    return [run.name, whole(last.step), steps, *map(number, figures), time]


def _footer() -> Markup:
    return element("footer", text(f"Made by guanyu_mpi {__version__}, guanyu report."))


def _document(body: Markup) -> str:
    style = Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8"))
    # Nothing may be loaded and no script may run, whatever has come into this page.
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = joined(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        # Browsers ask for an icon otherwise.
        Markup('<link rel="icon" href="data:,">'),
        element("title", text("GuanYu: report")),
        element("style", style),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'
