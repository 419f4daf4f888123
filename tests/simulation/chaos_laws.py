"""What must hold after every event, whoever does what to a job; what does not is an error."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from chaos_disk import Disk, Restored
from chaos_drift import Drift
from chaos_plan import Plan
from chaos_problem import slack
from chaos_quorums import BrokenError, Heard, Taken, Watched, between

from guanyu_mpi.aggregation import Aggregator
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.messages import Message, Params, Update
from guanyu_mpi.protocol.contractions import Contractions
from guanyu_mpi.protocol.effects import Aggregated, Commit, Halt, Outcome
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore

# Written out, so that the code's own constant is checked too.
STEPS_KEPT_MAX = 2


@dataclass(slots=True)
class Life:
    """What is known of one honest node since the job was last started."""

    core: ServerCore | WorkerCore
    step: int
    heard: Heard
    senders_max: int
    halt: Halt | None = None
    # The quorum of which it has made its last update.
    gradients: tuple[Node, ...] = ()
    # The last step that it has spoken of, by kind.
    told: dict[type[Message], int] = field(default_factory=dict)


class Laws:
    """Follows the honest nodes of a job through all its lives."""

    def __init__(self, plan: Plan, counts: Counter[str]) -> None:
        self.memory_max = 0.0
        self.drift = Drift(plan)
        self._plan = plan
        self._contractions = Contractions(plan.contract_every, plan.steps)
        self._counts = counts
        self._begun_at = 0
        self._saved: dict[tuple[Node, int], bytes] = {}

    def begin(self) -> None:
        """Another life of the job."""
        self._heard: dict[Node, Heard] = defaultdict(Heard)
        self._lives: dict[Node, Life] = {}
        self.drift.begin(self._plan.cluster.nodes(Role.SERVER))

    def restored(
        self,
        found: Mapping[Node, Restored],
        held: Mapping[int, set[int]],
        disk: Disk,
        *,
        damaged: bool,
    ) -> None:
        """All begin at one step, no earlier than before, with their own or honest parameters.

        Nor earlier than the last one that a quorum held, nor at one that 2f + 1 servers did not.
        """
        steps = {restored.step for restored in found.values()}
        if len(steps) > 1:
            raise BrokenError(f"a life that begins at {steps}")
        (step,) = steps
        if step < self._begun_at and not damaged:
            raise BrokenError(f"a life that begins at {step} after one at {self._begun_at}")
        holders = Counter(held_step for steps in held.values() for held_step in steps)
        cluster = self._plan.cluster
        if any(holders[later] >= cluster.server_quorum for later in holders if later > step):
            raise BrokenError(f"a life that begins at {step}, while {holders} are held")
        if step and holders[step] < 2 * cluster.byzantine_servers + 1:
            raise BrokenError(f"a life that begins at {step}, which {holders[step]} have")
        self._begun_at = step
        for node, restored in found.items():
            if step and node not in self._plan.attacks:
                self._check_restored(node, step, restored, disk)

    def _check_restored(self, node: Node, step: int, restored: Restored, disk: Disk) -> None:
        assert restored.params is not None
        if restored.sources == (node.index,):
            if self._saved[node, step] != restored.params.tobytes():
                raise BrokenError(f"{node} has not restored what it had saved at {step}")
            return
        others = [Node(Role.SERVER, index) for index in restored.sources]
        honest = [other for other in others if other not in self._plan.attacks]
        vectors = [disk.files[other.index][step] for other in honest]
        between(restored.params, [vector for vector in vectors if vector is not None], 0.0)
        self._saved[node, step] = restored.params.tobytes()
        self._counts["restored from others"] += 1
        self._counts["restored as a last resort"] += restored.last_resort

    def join(self, node: Node, core: ServerCore | WorkerCore) -> None:
        """A core that has not started yet."""
        if node in self._plan.attacks:
            return
        cluster = self._plan.cluster
        senders = cluster.servers + (cluster.workers if node.role is Role.SERVER else 0)
        self._lives[node] = Life(core, core.step, self._heard[node], senders)

    def watched(self, node: Node, voters: Role, rule: Aggregator) -> Watched:
        """A rule whose every use is looked at."""
        return Watched(rule, voters, self._heard[node], self._plan.thorough)

    def heard(self, node: Node, sender: Node, message: Message) -> None:
        """A checked message is about to be delivered."""
        life = self._lives.get(node)
        if life is not None:
            life.heard.note(sender, message)

    def died(self, node: Node) -> None:
        """Nothing more is asked of it."""
        self._lives.pop(node, None)

    @property
    def unfinished(self) -> list[str]:
        """Honest nodes that are alive and have not finished, and where they are."""
        lives = self._lives.items()
        return [f"{node} at step {life.core.step}" for node, life in lives if not life.halt]

    def halted(self, node: Node, halt: Halt) -> None:
        """An honest node ends once, at the last step."""
        life = self._lives.get(node)
        if life is None:
            return
        finished = halt.outcome is Outcome.FINISHED and halt.step == self._plan.steps
        if not finished or life.halt:
            raise BrokenError(f"{node} has halted: {halt}")
        life.halt = halt

    def rejected(self, sender: Node) -> None:
        """Nobody drops what an honest node has sent."""
        if sender not in self._plan.attacks:
            raise BrokenError(f"a frame of {sender} was rejected")

    def said(self, node: Node, receivers: Sequence[Node], message: Message) -> None:
        """An honest node tells everyone one thing per step, and never speaks of a past one."""
        life = self._lives.get(node)
        if life is None:
            return
        kind = type(message)
        role = Role.WORKER if kind is Params else Role.SERVER
        others = self._plan.cluster.size(role) - (node.role is role)
        if len(receivers) != others:
            raise BrokenError(f"{node} has told {len(receivers)} of {others}")
        if message.step <= life.told.get(kind, -1):
            raise BrokenError(f"{node} speaks of {message.step} after {life.told[kind]}")
        life.told[kind] = message.step
        if kind is Update:
            life.heard.note(node, message)
            self.drift.vote(node, message.step)

    def aggregated(self, node: Node, effect: Aggregated) -> None:
        """A quorum's gradients have been combined to something that the honest ones allow."""
        life = self._lives.get(node)
        if life is None:
            return
        taken = life.heard.take(Role.WORKER, effect.step)
        if taken.senders != effect.senders or taken.result is not effect.aggregate:
            raise BrokenError(f"{node} says that it has aggregated what it has not")
        life.gradients = taken.senders
        honest = taken.honest(self._plan)
        # Of a box's diagonal: no two of the vectors are farther apart.
        diameter = float(np.linalg.norm(np.ptp(honest, axis=0)))
        between(taken.result, honest, slack(self._plan.gar, self._plan.cluster, diameter))
        self._count("gradients", taken, effect.step)

    def committed(self, node: Node, commit: Commit) -> None:
        """A quorum's votes, one's own among them unless adopted, combined between honest ones."""
        life = self._lives.get(node)
        if life is None:
            return
        if not self._contractions.at(commit.step - 1):
            self._went_on(node, life, commit)
            return
        taken = life.heard.take(Role.SERVER, commit.step - 1)
        if taken.senders != commit.updates or taken.result is not commit.params:
            raise BrokenError(f"{node} says that it has committed what it has not")
        if commit.step <= life.step:
            raise BrokenError(f"{node} commits {commit.step} after {life.step}")
        self._check_newest(node, life, Role.SERVER, commit.step - 1)
        voted = node in taken.senders
        if commit.gradients != (life.gradients if voted else ()):
            raise BrokenError(f"{node} has voted: {voted}; by its word, of {commit.gradients}")
        between(commit.params, taken.honest(self._plan), 0.0)
        self.drift.contract(node, commit.step, taken, adopted=not voted)
        self._count("updates", taken, commit.step - 1)
        self._counts["updates adopted"] += not voted
        self._counts["steps skipped by a server"] += commit.step > life.step + 1
        life.step = commit.step
        self._saved[node, commit.step] = commit.params.tobytes()

    def _went_on(self, node: Node, life: Life, commit: Commit) -> None:
        """Between contractions a server goes on by one step, with its own update."""
        if (commit.updates, commit.gradients) != ((), life.gradients):
            raise BrokenError(f"{node} at step {commit.step}: of others, {commit.updates}")
        if commit.step != life.step + 1:
            raise BrokenError(f"{node} commits {commit.step} alone after {life.step}")
        self.drift.go_on(node, commit.step, commit.params)
        self._counts["steps alone"] += 1
        life.step = commit.step
        self._saved[node, commit.step] = commit.params.tobytes()

    def check(self, node: Node) -> None:
        """What holds after every event at an honest node."""
        life = self._lives.get(node)
        if life is None:
            return
        step = life.core.step
        if life.heard.uses and node.role is Role.WORKER:
            taken = life.heard.take(Role.SERVER, step)
            between(taken.result, taken.honest(self._plan), 0.0)
            # The last step is answered by all, also by who knows already that it is over.
            if step != self._plan.steps - 1:
                self._check_newest(node, life, Role.SERVER, step)
            self._count("params", taken, step)
            self._check_forward(node, life)
        if life.heard.uses:
            raise BrokenError(f"{node} has combined a quorum, and says nothing of it")
        if step != life.step:
            raise BrokenError(f"{node} is at {step} and was at {life.step}")
        if bool(life.halt) != (step == self._plan.steps):
            raise BrokenError(f"{node} at step {step}: {life.halt}")
        self._check_memory(node, life)

    def _check_newest(self, node: Node, life: Life, voters: Role, step: int) -> None:
        """Newest wins: no later step has as many voters as a quorum."""
        newest = life.heard.newest_reached(voters, self._plan.cluster.quorum(voters))
        if newest != step:
            raise BrokenError(f"{node} takes step {step}, while a quorum is at {newest}")

    def _check_forward(self, node: Node, life: Life) -> None:
        """A worker computes at ever later steps; it begins at 0, whatever was restored."""
        before, life.step = life.step, life.core.step
        if not before <= life.step <= self._plan.steps or life.step == before > 0:
            raise BrokenError(f"{node} goes from {before} to {life.step}")
        self._counts["steps skipped by a worker"] += before < life.step - 1

    def _check_memory(self, node: Node, life: Life) -> None:
        share = life.core.votes_held / (STEPS_KEPT_MAX * life.senders_max)
        self.memory_max = max(self.memory_max, share)
        if share > 1.0:
            raise BrokenError(f"{node} holds {life.core.votes_held} votes")

    def _count(self, kind: str, taken: Taken, step: int) -> None:
        self._counts[f"quorums of {kind}"] += 1
        self._counts[f"{kind}: a later vote stood in"] += max(taken.steps) > step
        hostile = any(sender in self._plan.attacks for sender in taken.senders)
        self._counts[f"{kind}: a Byzantine vote counted"] += hostile
