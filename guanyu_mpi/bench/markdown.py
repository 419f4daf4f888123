"""Tables that read well on a terminal and are Markdown; and the machine, in such lines."""

from collections.abc import Sequence

from guanyu_mpi.bench.report import Machine

UNKNOWN = "-"


def told(figure: float | None, form: str) -> str:
    """A figure in a table, if it was measured.

    >>> told(0.5, "{:.0%}"), told(None, "{:.0%}")
    ('50%', '-')
    """
    return UNKNOWN if figure is None else form.format(figure)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table whose columns are aligned in plain text too; all but the first to the right.

    >>> markdown(["rule", "ms"], [["krum", "12"], ["median", "3"]])
    ['| rule   | ms |', '|--------|---:|', '| krum   | 12 |', '| median |  3 |']
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    first, *others = widths
    rule = ["-" * (first + 2), *("-" * (width + 1) + ":" for width in others)]
    aligned = [[row[0].ljust(first), *map(str.rjust, row[1:], others)] for row in (header, *rows)]
    texts = ["| " + " | ".join(row) + " |" for row in aligned]
    return [texts[0], "|" + "|".join(rule) + "|", *texts[1:]]


def about(machine: Machine) -> list[str]:
    """Where it was measured, a line each."""
    versions = ", ".join(f"{name} {found}" for name, found in machine.versions.items())
    return [
        f"- {machine.processor}, {machine.cores} cores, {machine.memory_bytes / 2**30:.0f} GiB, "
        f"load {machine.load:.1f} before",
        f"- {versions}",
    ]
