"""When a rank began to be rejected nearly always, and until when: evidence kept in little memory.

A stretch of looks is judged by its excess: how many rejections it has beyond 80 % of its looks.
Who is honest is rejected in f / q of all looks, below a half for every q >= 2f + 3, so its excess
falls with every look and is soon forgotten. The stretch of most excess is the one to tell.
"""

from dataclasses import dataclass, replace

# Above what chance does to an honest rank (at most a half), below what a faulty one shows.
USUAL_MAX = 0.8
# An excess that honest ranks do not reach by chance: 20 rejections without a break, more with.
# At the worst share, 10 of 23, one stretch in 10^7 begins so.
EXCESS_MIN = 4.0
# Half of it where most rejections are clear outliers too, which honest ranks hardly ever are.
EXCESS_MIN_OUTLYING = 2.0
# Sums of 0.2 are not exact.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive looks at a rank, from a step to a step: how many, and how they went.

    One that is `lasting` was not over when the rank was last looked at.
    """

    since: int
    until: int
    looks: int
    rejected: int
    outlying: int
    lasting: bool = True

    @property
    def excess(self) -> float:
        """Rejections beyond the share that can be usual."""
        return self.rejected - USUAL_MAX * self.looks

    @property
    def clear(self) -> bool:
        """Whether most of its looks were clear outliers, and not only the farthest."""
        return 2 * self.outlying > self.looks

    @property
    def evident(self) -> bool:
        """Whether chance is no explanation any more."""
        return self.excess > (EXCESS_MIN_OUTLYING if self.clear else EXCESS_MIN) - ROUNDING


class Episode:
    """The looks at one rank so far: their sums, and the stretch that speaks most against it."""

    def __init__(self) -> None:
        self.looks = 0
        self.rejected = 0
        self.outlying = 0
        self._current: Stretch | None = None
        self._worst: Stretch | None = None

    def look(self, step: int, *, rejected: bool, outlying: bool) -> None:
        """Count one look; steps only grow."""
        self.looks += 1
        self.rejected += rejected
        self.outlying += outlying
        longer = self._current or Stretch(step, step, 0, 0, 0)
        longer = replace(
            longer,
            until=step,
            looks=longer.looks + 1,
            rejected=longer.rejected + rejected,
            outlying=longer.outlying + outlying,
        )
        self._current = longer if longer.excess > 0 else None
        if self._current and (self._worst is None or longer.excess > self._worst.excess):
            self._worst = longer

    @property
    def evident(self) -> Stretch | None:
        """The stretch to tell of, if there is one; one that goes on reaches to the last look."""
        worst, current = self._worst, self._current
        if worst is None or not worst.evident:
            return None
        goes_on = current is not None and current.since == worst.since and current.evident
        return current if goes_on else replace(worst, lasting=False)
