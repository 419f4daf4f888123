"""Where a long piece of work is done: here and now, or on a thread of its own."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Spawn(Protocol):
    """Begins a piece of work, and says what will come of it."""

    def __call__(self, work: Callable[[], Result], /) -> "Future[Result]":
        """Begin; what `work` raises is raised by the future's result."""


def at_once(work: Callable[[], Result], /) -> "Future[Result]":
    """Do it here and now."""
    done: Future[Result] = Future()
    try:
        done.set_result(work())
    except Exception as error:
        done.set_exception(error)
    return done
