"""A host whose ranks take turns on its cores: who works, who looks, who sleeps, and when."""

import heapq
from collections import deque
from collections.abc import Iterator
from enum import Enum

# Linux asks so often whether it is someone else's turn (CONFIG_HZ = 250).
SLICE_S = 4e-3


class Does(Enum):
    """What a rank does next: Open MPI gives the core away at a look that finds nothing."""

    WORK = "work"
    LOOK = "look"
    SLEEP = "sleep"


# A rank, as what it does one after another, and for how many seconds; without an end.
Life = Iterator[tuple[Does, float]]


class Host:
    """Cores, and one queue of those who are ready; virtual time."""

    def __init__(self, cores: int) -> None:
        self.now_s = 0.0
        self._idle = cores
        self._ready: deque[tuple[Life, Does, float]] = deque()
        # When, in which order, whose; what it was doing, and what is left of that and of its turn.
        self._events: list[tuple[float, int, Life, Does, float, float]] = []
        self._scheduled = 0

    def start(self, life: Life) -> None:
        """Let a rank live from now on."""
        self._next(life, *next(life))

    def step(self) -> None:
        """Let the next thing happen that anyone does."""
        self.now_s, _, life, does, left_s, turn_s = heapq.heappop(self._events)
        if does is Does.SLEEP:
            self._next(life, *next(life))
            return
        gives_away = does is Does.LOOK
        if left_s <= 0:
            does, left_s = next(life)
            gives_away |= does is Does.SLEEP
        if turn_s > 0 and not gives_away:
            self._run(life, does, left_s, turn_s)
        else:
            self._idle += 1
            self._next(life, does, left_s)

    def _next(self, life: Life, does: Does, seconds: float) -> None:
        if does is Does.SLEEP:
            self._at(self.now_s + seconds, life, does, 0.0, 0.0)
        else:
            self._ready.append((life, does, seconds))
        while self._idle and self._ready:
            self._idle -= 1
            self._run(*self._ready.popleft(), SLICE_S)

    def _run(self, life: Life, does: Does, seconds: float, turn_s: float) -> None:
        ran_s = min(seconds, turn_s)
        self._at(self.now_s + ran_s, life, does, seconds - ran_s, turn_s - ran_s)

    def _at(self, time_s: float, life: Life, does: Does, left_s: float, turn_s: float) -> None:
        self._scheduled += 1
        heapq.heappush(self._events, (time_s, self._scheduled, life, does, left_s, turn_s))
