"""At which steps of a run servers exchange their updates, and go on with the median."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contractions:
    """Every T-th step t, those with (t + 1) % every == 0, and the last one."""

    every: int
    steps: int

    def at(self, step: int) -> bool:
        """Whether a step is one of them."""
        return (step + 1) % self.every == 0 or step + 1 == self.steps

    def next(self, step: int) -> int:
        """The first of them that is not before a step.

        >>> contractions = Contractions(every=3, steps=8)
        >>> [contractions.next(step) for step in range(8)]
        [2, 2, 2, 5, 5, 5, 7, 7]
        """
        return min(step + self.every - 1 - step % self.every, self.steps - 1)
