"""Timing of several things in turns, so that a slow minute of the machine hits all of them."""

import time
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

# Prepares a call, untimed, and returns it.
Trial: TypeAlias = Callable[[], Callable[[], object]]
Key = TypeVar("Key")


def interleaved(
    trials: Mapping[Key, Trial],
    repeats: int,
    budget_s: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, tuple[float, ...]]:
    """Seconds of each trial's calls, made in turns until it has its repeats or its budget.

    A trial's first call finds cold caches: it counts only if there is no other. The budget covers
    preparation, and is exceeded by a first call only.
    """
    seconds: dict[Key, list[float]] = {key: [] for key in trials}
    spent = dict.fromkeys(trials, 0.0)
    running = dict(trials)
    for _ in range(repeats + 1):
        for key, trial in list(running.items()):
            begun = clock()
            seconds[key].append(_timed(trial(), clock))
            spent[key] += clock() - begun
            another = spent[key] / len(seconds[key])
            if spent[key] + another > budget_s:
                del running[key]
    return {key: tuple(counted[1:] or counted) for key, counted in seconds.items()}


def called(function: Callable[[], object]) -> Trial:
    """A trial that needs no preparation."""
    return lambda: function


def _timed(call: Callable[[], object], clock: Callable[[], float]) -> float:
    begun = clock()
    result = call()
    elapsed = clock() - begun
    # Giving memory back is not a part of it.
    del result
    return elapsed
