"""When standing still is a stall: the clock of a rank, and that of who watches all ranks.

Progress of a rank is that its core moves: another step, another phase, or one more vote of those
that it waits for. Messages alone are none: a Byzantine peer can send them for ever, while it has
one vote in a quorum. A gradient that is computed is no wait, however long it takes the rank; to
the others that is a vote that does not come, and `run.stall_timeout_s` must be longer.
"""

from collections.abc import Callable, Mapping, Sequence

from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.done import Done
from guanyu_mpi.state import State

# More than lies between two looks of a process that runs.
LOOK_S_MAX = 1.0
# A rank writes its state so often within the timeout.
BEATS = 4
# The ranks end themselves in time; that of who watches them is up later, in case they cannot.
PATIENCE = 1.5


class Awake:
    """A clock that stops while nobody looks at it: who was stopped, or computed, did not wait."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._looked_s = clock_s()
        self._awake_s = 0.0

    def __call__(self) -> float:
        """Seconds awake; to be asked more often than every second."""
        now_s = self._clock_s()
        self._awake_s += min(now_s - self._looked_s, LOOK_S_MAX)
        self._looked_s = now_s
        return self._awake_s


class Patience:
    """How long one rank has been without progress."""

    def __init__(self, timeout_s: float, clock_s: Callable[[], float]) -> None:
        self._timeout_s = timeout_s
        self._clock_s = clock_s
        self._moved_s = clock_s()
        self._seen: object = None

    @property
    def still_s(self) -> float:
        """Seconds since the last progress."""
        return self._clock_s() - self._moved_s

    def look(self, seen: object) -> bool:
        """Whether it has lasted too long that the same was seen of the rank."""
        if seen != self._seen:
            self._seen, self._moved_s = seen, self._clock_s()
        return self.still_s >= self._timeout_s


class Standstill:
    """Whether a whole job stands still, from what its servers write of themselves.

    What moves is progress only if more than f servers move: fewer can be Byzantine, and say what
    they like. As long as no more have begun, the job is starting.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        start_timeout_s: float,
        stall_timeout_s: float,
        clock_s: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._start_s = PATIENCE * start_timeout_s
        self._stall_s = PATIENCE * stall_timeout_s
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._seen: dict[int, object] = {}
        self._moved_s: dict[int, float] = {}

    def look(self, states: Sequence[State], done: Sequence[Done]) -> str:
        """Why the job is to be ended, or nothing."""
        now_s = self._clock_s()
        said = {state.rank: (state.step, state.waits_for) for state in states}
        self._see({**said, **{record.rank: record for record in done}}, now_s)
        newest_s = sorted(self._moved_s.values(), reverse=True)
        liars = self._cluster.byzantine_servers
        if len(newest_s) <= liars:
            waited_s = now_s - self._began_s
            return f"not started after {waited_s:.0f} s" if waited_s >= self._start_s else ""
        still_s = now_s - newest_s[liars]
        return f"no progress for {still_s:.0f} s" if still_s >= self._stall_s else ""

    def _see(self, said: Mapping[int, object], now_s: float) -> None:
        for rank, what in said.items():
            server = self._cluster.node(rank).role is Role.SERVER
            if server and self._seen.get(rank) != what:
                self._seen[rank], self._moved_s[rank] = what, now_s
