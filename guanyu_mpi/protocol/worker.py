"""A worker's part: Algorithm 1 of GuanYu (arXiv 1905.03853 v1), from the worker's side.

    1  for step t = 0, 1, ...
    2      wait for the first q Params(t); theta = median(params)
    3      draw a mini-batch, compute the gradient at theta
    4      broadcast Gradient(t) to the servers

A worker computes at the highest step for which it holds q Params. None ends without having
answered the last step, `steps - 1`: a server that is left behind there needs q' gradients, because
those who have finished vote no more.
"""

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.messages import Gradient, Message, Params, Report, Update
from guanyu_mpi.protocol.divergence import Divergence, is_finite, poison
from guanyu_mpi.protocol.effects import (
    Broadcast,
    ComputeGradient,
    Consumed,
    Effect,
    Halt,
    Outcome,
)
from guanyu_mpi.protocol.quorum import Aggregate, Inbox, Wait


class WorkerCore:
    """State machine of a worker; `contraction` is the median on parameters."""

    def __init__(
        self, node: Node, cluster: Cluster, *, steps: int, contraction: Aggregate, step: int = 0
    ) -> None:
        self.step = step
        self._node = node
        self._steps = steps
        self._params = Inbox(cluster.server_quorum, step, contraction)
        self._computing: ComputeGradient | None = None
        self._halted = False
        self._divergence = Divergence(cluster)

    @property
    def votes_held(self) -> int:
        """Vectors kept: at most two per server."""
        return len(self._params)

    @property
    def waits_for(self) -> tuple[Wait, ...]:
        """Params, unless it computes."""
        return () if self._halted or self._computing else (self._params.wait(Params),)

    def start(self) -> list[Effect]:
        """Nothing: a worker only answers."""
        return []

    def receive(self, sender: Node, message: Message) -> list[Effect]:
        """Count a server's vote, or broadcast one's own gradient, then start what is possible."""
        if self._halted:
            return []
        match message:
            case Params():
                self._params.offer(sender, message.step, message.vector)
                return self._progress()
            case Gradient() if sender == self._node:
                return self._computed(message)
            case Gradient() | Update() | Report():
                raise InvariantError(f"{self._node} was handed a {message} of {sender}")

    def distrust(self, sender: Node) -> list[Effect]:
        """Stop if more servers have sent non-finite vectors than can be Byzantine."""
        reason = self._divergence.accuse(sender)
        if not reason or self._halted:
            return []
        self._halted = True
        return [Halt(Outcome.DIVERGED, self.step, reason)]

    def vote_no_more(self) -> None:
        """Nothing: a worker has no updates."""

    def _progress(self) -> list[Effect]:
        newest = self._params.newest_reached()
        if newest is None or self._computing:
            return []
        # Line 2. Votes for the end are votes for the step before it, too.
        self.step = min(newest, max(self._steps - 1, self._params.first_step))
        quorum = self._params.consume(self.step)
        params = quorum.combine()
        consumed = Consumed(Params, quorum, params)
        if self.step == self._steps:
            self._halted = True
            return [consumed, Halt(Outcome.FINISHED, self.step, "")]
        # Line 3.
        self._computing = ComputeGradient(self.step, params)
        return [consumed, self._computing]

    def _computed(self, gradient: Gradient) -> list[Effect]:
        if self._computing is None or self._computing.step != gradient.step:
            raise InvariantError(f"{self._node} did not ask for a gradient of {gradient.step}")
        self._computing = None
        if not is_finite(gradient.vector):
            # Sent all the same: the servers must learn of it, or they would wait for ever.
            self._halted = True
            broken = Gradient(gradient.step, poison(gradient.vector))
            reason = f"the gradient of step {gradient.step} is not finite"
            return [
                Broadcast(broken, to=Role.SERVER),
                Halt(Outcome.DIVERGED, gradient.step, reason),
            ]
        # Line 4.
        return [Broadcast(gradient, to=Role.SERVER), *self._progress()]
