"""How commands say what is wrong: a line for each fault, on stderr, and the exit status."""

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from guanyu_mpi.errors import CheckpointError, ConfigError, DataError
from guanyu_mpi.processes import launched_as

EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
# Saved, and to be continued by the same command; where somebody at a terminal wanted it, as usual.
EXIT_LEFT = 85
EXIT_INTERRUPTED = 130

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def said_in_one_line(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Turn what is wrong with the user's input into a line per fault and exit status 2."""

    @wraps(command)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except (ConfigError, DataError, CheckpointError) as error:
            # All ranks of a job find the same faults; the first one says them.
            if launched_as() in (None, 0):
                say(str(error).splitlines(), "guanyu: ")
            sys.exit(EXIT_WRONG_INPUT)

    return wrapped


def say(lines: Iterable[str], prefix: str = "") -> None:
    """Write lines to stderr."""
    for line in lines:
        click.echo(f"{prefix}{line}", err=True)
