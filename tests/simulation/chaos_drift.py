"""How far honest servers can be from each other, and how far they are.

Parameters of an honest server have a level, 0 at the start. Its own update is one level higher,
and in every coordinate at most rate * A away from its parameters, A being the most that an
aggregate of honest gradients can be (`aggregate_max`). A median lies between the honest votes of
its quorum, and has the highest of their levels. So in every coordinate parameters of level k are
within k * rate * A of the initial ones, which all servers share; and honest servers that are at
the same step, of levels up to k, are within 2 k * rate * A of each other. Of one life of a job,
no level is more than the number of updates that its honest servers have made.
"""

from collections.abc import Iterable

import numpy as np
from chaos_plan import Plan
from chaos_problem import aggregate_max, initial_params
from chaos_quorums import ROUNDING, BrokenError, Taken

from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Vector


class Drift:
    """Levels of all honest parameters and votes, through all lives of a job."""

    def __init__(self, plan: Plan) -> None:
        self.level_max = 0
        self.drift_max = 0.0
        # The largest drift as a share of its bound.
        self.share_max = 0.0
        self._attackers = frozenset(plan.attacks)
        self._reach = plan.rate * aggregate_max(plan.gar, plan.cluster, plan.dimension)
        self._initial = initial_params(plan.dimension)
        self.begin([])

    def begin(self, servers: Iterable[Node]) -> None:
        """Another life: what is restored is made of no more updates than all before it."""
        self._levels = dict.fromkeys(servers, self.level_max)
        self._votes: dict[tuple[Node, int], int] = {}
        self._at_step: dict[int, tuple[int, Vector, Vector]] = {}

    def vote(self, node: Node, step: int) -> None:
        """A server has made an update of its parameters."""
        self._votes[node, step] = self._levels[node] + 1

    def go_on(self, node: Node, step: int, params: Vector) -> None:
        """A server has gone on to a step with its own update."""
        level = self._levels[node] = self._levels[node] + 1
        self.level_max = max(self.level_max, level)
        self._check(node, step, level, params)

    def contract(self, node: Node, step: int, taken: Taken, *, adopted: bool) -> None:
        """A server has gone on to a step with the median of votes."""
        votes = zip(taken.senders, taken.steps, strict=True)
        level = max(self._votes[vote] for vote in votes if vote[0] not in self._attackers)
        self._levels[node] = level
        self.level_max = max(self.level_max, level)
        if adopted:
            # It votes for what it has adopted.
            self._votes[node, step - 1] = level
        self._check(node, step, level, taken.result)

    def _check(self, node: Node, step: int, level: int, params: Vector) -> None:
        bound = level * self._reach
        far = float(np.abs(params - self._initial).max())
        if far > bound * (1 + ROUNDING) + ROUNDING:
            raise BrokenError(f"{node} at step {step} is {far} from the start: {bound} at most")
        highest, low, high = self._at_step.get(step, (level, params, params))
        highest, low, high = max(highest, level), np.minimum(low, params), np.maximum(high, params)
        self._at_step[step] = highest, low, high
        drift = float((high - low).max())
        self.drift_max = max(self.drift_max, drift)
        share = drift / (2 * highest * self._reach)
        self.share_max = max(self.share_max, share)
        if share > 1 + ROUNDING:
            raise BrokenError(f"drift of {drift} at step {step}, of levels up to {highest}")
