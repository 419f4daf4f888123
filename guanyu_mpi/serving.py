"""A rank at work once it is connected: to the end of its part, and while it waits for a disk."""

from contextlib import suppress
from typing import TYPE_CHECKING

from guanyu_mpi.account import Activity
from guanyu_mpi.errors import CommunicatorLost, GuanYuError
from guanyu_mpi.leaving import Leaving
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.transport.backoff import Backoff
from guanyu_mpi.transport.participant import Participant, Receiver
from guanyu_mpi.watch import Watch

if TYPE_CHECKING:
    from guanyu_mpi.transport.mpi import MpiNetwork


def take_part(
    network: "MpiNetwork",
    participant: Participant,
    watch: Watch,
    leaving: Leaving,
    backoff: Backoff,
) -> Halt:
    """Take part to the end, whatever that is."""
    try:
        watch.begin()
        return _serve(network, participant, watch, leaving, backoff)
    except (GuanYuError, OSError) as error:
        return _failed(participant, str(error))


def _serve(
    network: "MpiNetwork",
    participant: Participant,
    watch: Watch,
    leaving: Leaving,
    backoff: Backoff,
) -> Halt:
    """Serve messages and compute until the core halts, it is time, or nothing is to be hoped."""
    account = network.account
    participant.start()
    while participant.halt is None:
        moved = network.poll(participant)
        waits_in_vain = watch.look()
        reason = leaving.reason(network)
        if reason:
            return leaving.go(network, participant, reason)
        if participant.busy:
            with account.on(Activity.COMPUTE):
                participant.compute()
        # One poll may bring the last message and the news that its sender was the last to leave.
        elif participant.halt is None and network.all_left:
            return _failed(participant, "every peer has left before this node was done")
        elif waits_in_vain:
            return _failed(participant, waits_in_vain)
        else:
            with account.on(Activity.WAIT if network.receiving else Activity.IDLE):
                backoff.rest(moved=moved, receiving=network.receiving)
    return participant.halt


def _failed(participant: Participant, reason: str) -> Halt:
    return Halt(Outcome.FAILED, participant.step, reason)


def hear(network: "MpiNetwork", receiver: Receiver, watch: Watch, backoff: Backoff) -> None:
    """Move messages once, if they move at all, and rest."""
    moved = False
    # Who waits for its disk does so to its end, and says how that was.
    with suppress(CommunicatorLost):
        moved = network.poll(receiver)
    watch.answer()
    backoff.rest(moved=moved, receiving=network.receiving)
