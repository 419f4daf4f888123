"""Bugs that the protocol could have, each as a change of one function while a `with` lasts.

None of them is in the code; each must be found by the schedules of chaos_run.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from unittest.mock import patch

from chaos_run import run

from guanyu_mpi.checkpoint import election
from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Message, Update, Vector
from guanyu_mpi.protocol import quorum
from guanyu_mpi.protocol.effects import Broadcast, ComputeGradient, Effect, Halt, Outcome
from guanyu_mpi.protocol.quorum import Inbox, Quorum
from guanyu_mpi.protocol.server import Phase, ServerCore
from guanyu_mpi.protocol.worker import WorkerCore
from guanyu_mpi.transport import wire
from guanyu_mpi.transport.outbox import Outbox

# The shipped functions, before anything is changed.
MAKE_INBOX, OFFER, CONSUME = Inbox.__init__, Inbox.offer, Inbox.consume
UPDATE, CONTRACT, PUBLISH = ServerCore._update, ServerCore._contract, ServerCore._publish
PROGRESS = WorkerCore._progress


@dataclass(frozen=True, slots=True)
class Bug:
    """What is wrong, which function is changed for it, and to what."""

    name: str
    owner: object
    function: str
    wrong: object

    @property
    def slug(self) -> str:
        """Its name, for a file."""
        return self.name.replace("'", "").replace(" ", "-")

    def planted(self) -> AbstractContextManager[object]:
        """The bug, for as long as the context lasts."""
        return patch.object(self.owner, self.function, self.wrong)


@dataclass(frozen=True, slots=True)
class Catch:
    """How many schedules a bug survived and the next one's complaint; empty if it survived all."""

    schedules: int
    failure: str


def caught(bug: Bug, seeds: range) -> Catch:
    """Run schedules with the bug planted until one of them fails."""
    with bug.planted():
        for count, seed in enumerate(seeds, start=1):
            failure = run(seed).failure
            if failure:
                return Catch(count, failure)
    return Catch(len(seeds), "")


def _quorum_of(change: int) -> Callable[..., None]:
    def make(inbox: Inbox, size: int, first_step: int, aggregate: quorum.Aggregate) -> None:
        MAKE_INBOX(inbox, size + change, first_step, aggregate)

    return make


def _duplicates_counted(inbox: Inbox, sender: Node, step: int, vector: Vector) -> None:
    twice = step in inbox._votes.get(sender, {})
    OFFER(inbox, Node(sender.role, sender.index + 100) if twice else sender, step, vector)


def _second_vote_counted(inbox: Inbox, sender: Node, step: int, vector: Vector) -> None:
    """The last word of a sender for a step counts, instead of the first."""
    OFFER(inbox, sender, step, vector)
    vote = inbox._votes.get(sender, {}).get(step)
    if vote is not None:
        inbox._votes[sender][step] = replace(vote, vector=vector)


def _stale_accepted(inbox: Inbox, sender: Node, step: int, vector: Vector) -> None:
    OFFER(inbox, sender, max(step, inbox._first_step), vector)


def _early_dropped(inbox: Inbox, sender: Node, step: int, vector: Vector) -> None:
    if step <= inbox._first_step + 1:
        OFFER(inbox, sender, step, vector)


def _own_vote_missing(core: ServerCore) -> list[Effect]:
    with patch.object(Inbox, "offer", lambda *_: None):
        return UPDATE(core)


def _vote_not_sent(core: ServerCore) -> list[Effect]:
    return [effect for effect in UPDATE(core) if not isinstance(effect, Broadcast)]


def _by_arrival(inbox: Inbox, step: int) -> Quorum:
    found = CONSUME(inbox, step)
    pairs = sorted(zip(found.votes, found.senders, strict=True), key=lambda pair: pair[0].arrival)
    votes, senders = zip(*pairs, strict=True)
    return replace(found, votes=votes, senders=senders)


def _exact_only(inbox: Inbox) -> int | None:
    """Highest step that a quorum has voted for: a later vote does not stand in."""
    steps = [step for held in inbox._votes.values() for step in held]
    return max((step for step in steps if steps.count(step) >= inbox._quorum), default=None)


def _of_all_kept(inbox: Inbox) -> int | None:
    """Every vote counts, not every voter."""
    newest = sorted((step for held in inbox._votes.values() for step in held), reverse=True)
    return newest[inbox._quorum - 1] if len(newest) >= inbox._quorum else None


def _adopted_in_silence(core: ServerCore, step: int) -> list[Effect]:
    return _without_updates(CONTRACT(core, step))


def _without_updates(effects: list[Effect]) -> list[Effect]:
    return [
        effect
        for effect in effects
        if not (isinstance(effect, Broadcast) and isinstance(effect.message, Update))
    ]


def _nothing_forgotten(inbox: Inbox, step: int) -> None:
    inbox._first_step = max(step, inbox._first_step)
    inbox._gathering = inbox._aggregate.gather()


def _last_params_kept_back(core: ServerCore) -> list[Effect]:
    return [] if core.step == core._steps else PUBLISH(core)


def _in_flight_replaced(outbox: Outbox[object], receiver: Node, item: object) -> bool:
    del outbox, receiver, item
    return True


def _older_kept(
    outbox: Outbox[object], receiver: Node, item: object, kind: type[Message] | None = None
) -> bool:
    if receiver not in outbox._in_flight:
        outbox._in_flight.add(receiver)
        return True
    outbox._pending.setdefault(receiver, {}).setdefault(kind, item)
    return False


def _pending_forgotten(outbox: Outbox[object], receiver: Node) -> None:
    outbox._in_flight.discard(receiver)


def _worker_in_order(core: WorkerCore) -> list[Effect]:
    """A worker computes at each step that a quorum has passed, however late it is."""
    if core._params.newest_reached() is None or core._computing:
        return []
    core.step = core._params.first_step
    params = core._params.consume(core.step).combine()
    if core.step == core._steps:
        core._halted = True
        return [Halt(Outcome.FINISHED, core.step, "")]
    core._computing = ComputeGradient(core.step, params)
    return [core._computing]


def _last_step_unanswered(core: WorkerCore) -> list[Effect]:
    """A worker that learns of the end before it has answered the last step does so no more."""
    if core._params.newest_reached() == core._steps and not core._computing:
        core._params.forget_before(core._steps)
    return PROGRESS(core)


def _without_the_last(found: Quorum) -> Vector:
    return found.gathering.combine(found.vectors[:-1])


def _own_step_only(core: ServerCore) -> list[Effect]:
    """A server goes on with the updates of its own step alone, after it has made its own."""
    effects: list[Effect] = []
    while core.phase is not Phase.HALTED:
        if core.phase is Phase.UPDATES and core._updates.reached(core.step):
            effects += core._contract(core.step)
        elif core.phase is Phase.GRADIENTS and core._gradients.reached(core.step):
            effects += core._update()
        else:
            break
    return effects


def _any_file(holdings: election.Holdings, quorum_size: int) -> int | None:
    del quorum_size
    return max((step for steps in holdings.values() for step in steps), default=None)


BUGS = (
    Bug("a quorum of q - 1", Inbox, "__init__", _quorum_of(-1)),
    Bug("a quorum of q + 1", Inbox, "__init__", _quorum_of(+1)),
    Bug("a sender's second vote counts as another's", Inbox, "offer", _duplicates_counted),
    Bug("a sender's last vote for a step counts", Inbox, "offer", _second_vote_counted),
    Bug("votes of a sender count each", Inbox, "newest_reached", _of_all_kept),
    Bug("a stale vote is accepted", Inbox, "offer", _stale_accepted),
    Bug("a vote two steps early is dropped", Inbox, "offer", _early_dropped),
    Bug("a later vote does not stand in", Inbox, "newest_reached", _exact_only),
    Bug("old votes are not forgotten", Inbox, "forget_before", _nothing_forgotten),
    Bug("three steps of a sender are kept", quorum, "STEPS_KEPT", 3),
    Bug("rows in order of arrival", Inbox, "consume", _by_arrival),
    Bug("the median of q - 1", Quorum, "combine", _without_the_last),
    Bug("the own vote is missing", ServerCore, "_update", _own_vote_missing),
    Bug("the own vote is not sent", ServerCore, "_update", _vote_not_sent),
    Bug("who adopts does not vote", ServerCore, "_contract", _adopted_in_silence),
    Bug("a server never adopts", ServerCore, "_progress", _own_step_only),
    Bug("the last parameters are not sent", ServerCore, "_publish", _last_params_kept_back),
    Bug("a worker computes at an old step", WorkerCore, "_progress", _worker_in_order),
    Bug("the outbox replaces what is in flight", Outbox, "offer", _in_flight_replaced),
    Bug("the outbox keeps the older message", Outbox, "offer", _older_kept),
    Bug("the outbox forgets what waits", Outbox, "delivered", _pending_forgotten),
    Bug("NaN passes the wire", wire, "is_finite", lambda _: True),
    Bug("a restart takes anyone's newest checkpoint", election, "restore_step", _any_file),
)

# One schedule in ten thousand shows it: the one that is kept for it has to do.
RARE = (Bug("a worker ends without an answer", WorkerCore, "_progress", _last_step_unanswered),)
