"""A table of faults and outcomes, in Markdown, from the results of a campaign."""

from collections.abc import Iterable, Iterator

from guanyu_mpi.faults.kinds import KINDS

Row = dict[str, object]
HEADINGS = ("fault", "runs", "struck", "right", "hangs", "wrong exits", "left over", "other")


def table(results: Iterable[Row]) -> list[str]:
    """By kind of fault: in how many runs, how often, and how those ended."""
    runs = list(results)
    lines = [_line(HEADINGS), _line("---" for _ in HEADINGS)]
    lines += [_line(_row(kind, _with(runs, kind))) for kind in KINDS]
    attacked = [run for run in runs if run["attacks"]]
    lines.append(_line(_row("together with an attack", attacked)))
    cut = [run for run in runs if run.get("cut")]
    if cut:
        lines.append(_line(_row("together with a host cut off and healed", cut)))
    return [*lines, _line(_row("all", runs)), "", *_summary(runs)]


def _row(name: str, runs: list[Row]) -> Iterator[str]:
    faults = [fault for run in runs for fault in _list(run, "faults")]
    yield name
    yield str(len(runs))
    yield str(faults.count(name) if name in KINDS else len(faults))
    yield str(sum(not _list(run, "wrong") for run in runs))
    worst = [_worst(_list(run, "wrong")) for run in runs]
    yield from (str(worst.count(what)) for what in ("hang", "exit", "left", "other"))


def _worst(wrong: list[str]) -> str:
    """One outcome per run: a hang is also a wrong exit, and so on."""
    for start in ("hang", "exit", "left"):
        if any(what.startswith(start) for what in wrong):
            return start
    return "other" if wrong else "right"


def _summary(runs: list[Row]) -> Iterator[str]:
    for problem in sorted({str(run["problem"]) for run in runs}):
        of = [run for run in runs if run["problem"] == problem]
        walls = sorted(_float(run, "wall_s") for run in of)
        yield (
            f"- {problem}: {len(of)} runs, {walls[len(walls) // 2]:.0f} s each in the median; "
            f"worst growth of an honest rank's peak of memory "
            f"{max(_float(run, 'growth_mib') for run in of):.1f} MiB; {_errors(of)}"
        )


def _errors(runs: list[Row]) -> str:
    accuracies = [_float(run, "accuracy") for run in runs if run["accuracy"] is not None]
    if accuracies:
        return f"worst accuracy {min(accuracies):.3f}, without faults {runs[0]['free_accuracy']}"
    losses = [_float(run, "loss") for run in runs if run["loss"] is not None]
    free = _float(runs[0], "free_loss")
    worst = max(losses, default=float("nan"))
    return f"worst error {worst:.4g}, without faults {free:.4g} of initially {runs[0]['initial']}"


def _with(runs: list[Row], kind: str) -> list[Row]:
    return [run for run in runs if kind in _list(run, "faults")]


def _list(run: Row, key: str) -> list[str]:
    value = run[key]
    assert isinstance(value, list)
    return value


def _float(run: Row, key: str) -> float:
    value = run[key]
    assert isinstance(value, int | float)
    return float(value)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
