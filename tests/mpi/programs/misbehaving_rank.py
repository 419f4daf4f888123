"""A rank that takes part honestly until its deed: misbehaving_rank.py DEEDS STEP ARGUMENTS

DEEDS is a JSON object from nodes to deeds; there are some of all "workers", and of "rank-1" before
it is a node. A deed leaves a file in the run's directory, so that a test can see that it happened.
ARGUMENTS are those of `guanyu`.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from guanyu_mpi import processes
from guanyu_mpi.cli import main
from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Message
from guanyu_mpi.node import Shell

SLOW_START_S = 6.0
SLOW_GRADIENT_S = 0.8


def abort_world() -> None:
    from mpi4py import MPI  # noqa: PLC0415  (not before the rank itself has)

    MPI.COMM_WORLD.Abort(9)


def abort_self() -> None:
    from mpi4py import MPI  # noqa: PLC0415  (not before the rank itself has)

    MPI.COMM_SELF.Abort(9)


def loop() -> None:
    while True:
        pass


# While it takes part.
DEEDS: dict[str, Callable[[], None]] = {
    "exit-as-if-input-were-wrong": lambda: os._exit(2),
    "abort-world": abort_world,
    "abort-self": abort_self,
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "loop": loop,
}
# Before the rank knows of MPI.
EARLY_DEEDS: dict[str, Callable[[], None]] = {
    "exit-early": lambda: os._exit(1),
    "start-slowly": lambda: time.sleep(SLOW_START_S),
}


def leave_a_trace(node: str, arguments: list[str]) -> None:
    run_dir = Path(arguments[arguments.index("--run-dir") + 1])
    (run_dir / f"deed-{node}").write_text(str(os.getpid()))


def misbehave(deeds: dict[str, str], step: int, arguments: list[str]) -> None:
    """Do a node's deed as soon as it hears of anything at that step."""
    honest = Shell.deliver

    def deliver(self: Shell, sender: Node, message: Message) -> None:
        if str(self.node) in deeds and self.step >= step:
            leave_a_trace(str(self.node), arguments)
            DEEDS[deeds[str(self.node)]]()
        honest(self, sender, message)

    Shell.deliver = deliver  # type: ignore[method-assign]


def compute_slowly(arguments: list[str]) -> None:
    """Have every worker take its time."""
    honest = Shell.compute

    def compute(self: Shell) -> None:
        leave_a_trace(str(self.node), arguments)
        time.sleep(SLOW_GRADIENT_S)
        honest(self)

    Shell.compute = compute  # type: ignore[method-assign]


def start(deeds: dict[str, str], step: int, arguments: list[str]) -> None:
    """Be a rank of which some deed may be expected."""
    early = deeds.get(f"rank-{processes.launched_as()}")
    if early:
        leave_a_trace(f"rank-{processes.launched_as()}", arguments)
        EARLY_DEEDS[early]()
    if "workers" in deeds:
        compute_slowly(arguments)
    misbehave(deeds, step, arguments)
    sys.argv[1:] = arguments
    main()


if __name__ == "__main__":
    start(json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
