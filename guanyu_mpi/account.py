"""What a rank uses: its time, every moment of which counts for one activity; and what it moves.

Where ranks share cores, time is not work: who is awake may have none. So both are told.
"""

import resource
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")


class Activity(StrEnum):
    """What a rank's thread does; what others of its threads do meanwhile is not told."""

    # Gradients, and waiting for an evaluation.
    COMPUTE = "compute"
    # All that the core does, quorums, rules and updates; and what is reported of gradients.
    AGGREGATE = "aggregate"
    # Making frames, opening and checking them.
    COPY = "copy"
    # MPI moves what it can in any call, so that these two tell which calls, and not which bytes.
    SEND = "send"
    RECEIVE = "receive"
    # Logs, traces, and handing over checkpoints.
    WRITE = "write"
    # Asleep while a message is arriving, and while none is.
    WAIT = "wait"
    IDLE = "idle"
    OTHER = "other"


ASLEEP = (Activity.WAIT, Activity.IDLE)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a rank has used since its account began; processor and memory since its process did.

    `spent_s` is time by activity, `worked_s` how much of that a core has worked for its thread.
    """

    spent_s: dict[str, float]
    worked_s: dict[str, float]
    cpu_s: float
    peak_bytes: int
    sent_bytes: int
    received_bytes: int


class Account:
    """One rank's time by activity, and the bytes of its frames; for the thread that makes it."""

    def __init__(
        self,
        clock_s: Callable[[], float] = time.perf_counter,
        work_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self.sent_bytes = 0
        self.received_bytes = 0
        self._clock_s = clock_s
        self._work_s = work_s
        self._spent_s = dict.fromkeys(Activity, 0.0)
        self._worked_s = dict.fromkeys(Activity, 0.0)
        self._activity = Activity.OTHER
        self._began_s = self._since_s = clock_s()
        self._worked_then_s = work_s()

    def elapsed_s(self) -> float:
        """Time since the account began: what has been spent, all together."""
        return self._clock_s() - self._began_s

    def on(self, activity: Activity) -> AbstractContextManager[None]:
        """What happens within counts for an activity, but for what counts for another therein."""
        return _Stretch(self.begin, activity)

    def timed(self, activity: Activity, function: Callable[P, Result]) -> Callable[P, Result]:
        """The function, whose time counts for an activity."""

        def timed(*args: P.args, **kwargs: P.kwargs) -> Result:
            with self.on(activity):
                return function(*args, **kwargs)

        return timed

    def usage(self) -> Usage:
        """What has been used until now."""
        self.begin(self._activity)
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Usage(
            spent_s=_told(self._spent_s),
            worked_s=_told(self._worked_s),
            cpu_s=used.ru_utime + used.ru_stime,
            # Linux tells it in KiB.
            peak_bytes=1024 * used.ru_maxrss,
            sent_bytes=self.sent_bytes,
            received_bytes=self.received_bytes,
        )

    def begin(self, activity: Activity) -> Activity:
        """Count the time until now, and begin an activity; returns the one before."""
        now_s, worked_s, before = self._clock_s(), self._work_s(), self._activity
        self._spent_s[before] += now_s - self._since_s
        self._worked_s[before] += worked_s - self._worked_then_s
        self._since_s, self._worked_then_s, self._activity = now_s, worked_s, activity
        return before


class _Stretch:
    """A stretch of an activity; half as long to begin and end as contextlib's."""

    __slots__ = ("_activity", "_begin")

    def __init__(self, begin: Callable[[Activity], Activity], activity: Activity) -> None:
        self._begin = begin
        self._activity = activity

    def __enter__(self) -> None:
        # From here on it keeps what was before.
        self._activity = self._begin(self._activity)

    def __exit__(self, *_: object) -> None:
        self._begin(self._activity)


def _told(seconds: Mapping[Activity, float]) -> dict[str, float]:
    """By name, and to the microsecond."""
    return {activity.value: round(of_it, 6) for activity, of_it in seconds.items()}
