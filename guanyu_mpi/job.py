"""The MPI root: one rank of a run, from its start to its end.

Starting up needs every rank, and so does agreeing that one of them cannot start; nothing after
that does. A rank leaves without MPI_Finalize where its peers may be dead, because that can hang.
No wait for others is without a bound, whoever has started the ranks.
"""

import faulthandler
import os
import socket
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from guanyu_mpi import __version__
from guanyu_mpi.account import Account
from guanyu_mpi.assembly import Assembly
from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.config import Config
from guanyu_mpi.console import EXIT_FAILED, EXIT_LEFT, EXIT_WRONG_INPUT, say
from guanyu_mpi.cores import Share, described, share, take_share
from guanyu_mpi.done import Done, clear_done, write_done
from guanyu_mpi.errors import GuanYuError, InvariantError
from guanyu_mpi.leaving import Hearing, Leaving, Limit
from guanyu_mpi.preflight import layout
from guanyu_mpi.processes import ToldToLeave, die_with_parent
from guanyu_mpi.protocol.effects import Halt, Outcome
from guanyu_mpi.run_dir import prepare_run_dir
from guanyu_mpi.serving import hear, take_part
from guanyu_mpi.state import clear_state
from guanyu_mpi.transport.backoff import Backoff
from guanyu_mpi.transport.library import fault_tolerance_is_on, library_in_use
from guanyu_mpi.watch import Asked, Watch

if TYPE_CHECKING:
    from mpi4py import MPI


AGREE_POLL_S = 5e-3
# What `run.start_timeout_s` is where nobody can read it.
REFUSE_S = 1800.0

STATUSES = {Outcome.FINISHED: 0, Outcome.LEFT: EXIT_LEFT}


def run_rank(config: Config, run_dir: Path, told: ToldToLeave) -> NoReturn:
    """Take this rank's part in the run, and leave with its exit status."""
    limit = Limit(config.run.wall_time_s)
    die_with_parent()
    asked = Asked()
    asked.listen()
    # Also where it hangs within MPI, because a rank has died before it was there: this prints
    # the stack and leaves with status 1.
    faulthandler.dump_traceback_later(config.run.start_timeout_s, exit=True)
    world = _initialise()
    asked.listen()
    told.listen()
    cluster = config.nodes
    _agree(world, _size_fault(world.size, cluster))
    node, own = cluster.node(world.rank), _own_share(world)
    assembly = Assembly(config, run_dir, own)
    # Checkpoints are read before anyone writes: nobody starts before all have agreed to.
    _agree(world, _fault_preparing(assembly, node, run_dir))

    from guanyu_mpi.transport.communicators import connect
    from guanyu_mpi.transport.mpi import MpiNetwork

    links = connect(world, cluster, assembly.attackers.spies)
    account = Account()
    network = MpiNetwork(node, links.peers, assembly.decoder, account, links.strangers)
    faulthandler.cancel_dump_traceback_later()
    participant = assembly.participant(
        node,
        send=network.send,
        raw=network.injected,
        clock_s=account.elapsed_s,
        spawn=ThreadPoolExecutor(max_workers=1).submit,
        account=account,
    )
    timeout_s = config.run.stall_timeout_s
    watch = Watch(
        node, cluster, participant, network, run_dir=run_dir, asked=asked, timeout_s=timeout_s
    )
    saving = assembly.savings.get(node)
    leaving = Leaving(
        node, cluster, told, limit, lambda: saving.longest_s if saving is not None else 0.0
    )
    backoff = Backoff(own_core=own.own_core)
    halt = take_part(network, participant, watch, leaving, backoff)
    if saving is not None:
        # Its peers wait for its last messages, and not for its disk; it itself waits for nobody.
        deaf = partial(hear, network, Hearing(participant), watch, backoff)
        with watch.saving():
            halt = saving.conclude(halt, deaf, timeout_s)
    if halt.outcome is Outcome.LEFT:
        assembly.momenta.leave(node)
    # Whoever looks finds it saving, or its end.
    halt = _written_down(run_dir, world.rank, node, halt)
    watch.write()
    if halt.outcome is not Outcome.FINISHED:
        sys.stderr.write(f"{node}: {halt.outcome.value} at step {halt.step}: {halt.reason}\n")
    leaving.linger(network, participant, halt, watch.answer)
    # Finalising may wait for a rank that hangs.
    faulthandler.dump_traceback_later(timeout_s, exit=True)
    _leave(STATUSES.get(halt.outcome, EXIT_FAILED))


def refuse(fault: str) -> NoReturn:
    """End the job as its configuration cannot be read by this rank, and maybe by it alone."""
    faulthandler.dump_traceback_later(REFUSE_S, exit=True)
    _agree(_initialise(), fault)
    raise InvariantError("nobody has refused")


def _banner(config: Config) -> str:
    """One line on what runs here; rank 0 says it."""
    survives = "on" if fault_tolerance_is_on() else "off: a rank that dies ends the job"
    return (
        f"guanyu_mpi {__version__}: run {config.run.name}, {layout(config.nodes)}, "
        f"{library_in_use()}, fault tolerance {survives}, {described()}\n"
    )


def _initialise() -> "MPI.Intracomm":
    """Initialise MPI for one thread, and never finalise it behind our back."""
    import mpi4py

    mpi4py.rc.finalize = False
    mpi4py.rc.thread_level = "funneled"
    from mpi4py import MPI

    return MPI.COMM_WORLD


def _own_share(world: "MPI.Intracomm") -> Share:
    """What of its node is this rank's, also for the libraries that are loaded from now on."""
    from guanyu_mpi.transport.neighbours import neighbours

    local_rank, cores = neighbours(world)
    take_share(local_rank, cores)
    return share(local_rank, cores)


def _size_fault(size: int, cluster: Cluster) -> str:
    if size == cluster.num_ranks:
        return ""
    needs = (
        f"MPI started {size} rank{'s' if size > 1 else ''}, and {cluster.servers} servers, "
        f"{cluster.workers} workers and the observer need {cluster.num_ranks}: "
        f"use `guanyu launch`, or mpirun -n {cluster.num_ranks}"
    )
    if size == 1:
        needs += (
            "; if you did ask for so many, launcher and MPI library do not belong together "
            "(under srun, choose --mpi=pmix or --mpi=pmi2)"
        )
    return needs


def _fault_preparing(assembly: Assembly, node: Node, run_dir: Path) -> str:
    """Make ready all that this rank needs; why it cannot, or nothing."""
    rank = assembly.cluster.rank(node)
    try:
        clear_done(run_dir, rank)
        clear_state(run_dir, rank)
        if rank == 0:
            prepare_run_dir(run_dir, assembly.config, fresh=False)
            sys.stdout.write(_banner(assembly.config))
            sys.stdout.flush()
        assembly.prepare(node)
    except GuanYuError as error:
        return str(error)
    # Whatever it is, the others wait for our word, and would for ever.
    except Exception as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return ""


def _agree(world: "MPI.Intracomm", fault: str) -> None:
    """Go on only if every rank can; the first that cannot says why."""
    mine = np.array([world.rank if fault else world.size], np.int64)
    first = np.empty(1, np.int64)
    from mpi4py import MPI

    # Asleep while waiting: a blocking call would take the core from ranks that still load.
    try:
        request = world.Iallreduce(mine, first, MPI.MIN)
        while not request.Test():
            time.sleep(AGREE_POLL_S)
    except MPI.Exception as error:
        sys.stderr.write(f"guanyu: a rank has died before all were ready ({error})\n")
        os._exit(EXIT_FAILED)
    if first[0] == world.size:
        return
    if first[0] == world.rank:
        # Where it is not the first that cannot, a fault may be of its machine.
        where = f"rank {world.rank} on {socket.gethostname()}: " if world.rank else ""
        say(fault.splitlines(), f"guanyu: {where}")
    _leave(EXIT_WRONG_INPUT)


def _written_down(run_dir: Path, rank: int, node: Node, halt: Halt) -> Halt:
    """How this rank's part has ended: as it has, or failed, if that cannot be written down."""
    try:
        write_done(run_dir, Done(rank, str(node), halt.outcome.value, halt.step, halt.reason))
    except OSError as error:
        reason = f"{halt.outcome.value}, which cannot be written down: {error}"
        return Halt(Outcome.FAILED, halt.step, reason)
    return halt


def _leave(status: int) -> NoReturn:
    """End this process; with MPI_Finalize only where all peers are alive to take part in it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not fault_tolerance_is_on():
        from mpi4py import MPI

        MPI.Finalize()
    os._exit(status)
