"""One rank that speaks MPI itself and none of this package's code: it starts up, then attacks.

Started among honest ranks: mpirun -n 8 guanyu run ... : -n 1 hostile_rank.py PLAN : -n 1 ...
The plan is JSON; how many frames of which kind were sent is written to its `report`.
"""

import ctypes
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import mpi4py

mpi4py.rc.finalize = False

import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402

PLAN = json.loads(sys.argv[1])
FRAME_BYTES = PLAN["frame_bytes"]
TAG_MESSAGE = 1
# What may be on its way at once: a sender without bounds fills its own memory first.
OUTSTANDING_MAX = 64
LIMIT_S = 80.0

Victim = tuple[MPI.Comm, int]


class Attacker:
    """Counts what it sends, and keeps what MPI may still read."""

    def __init__(self, victims: list[Victim]) -> None:
        self.victims = victims
        self.sent: dict[str, int] = {}
        self.requests: list[tuple[MPI.Request, np.ndarray]] = []
        self.deadline_s = time.monotonic() + LIMIT_S

    def send(self, what: str, to: Victim, frame: np.ndarray, tag: int = TAG_MESSAGE) -> None:
        comm, rank = to
        self.requests.append((comm.Isend([frame, MPI.BYTE], rank, tag), frame))
        self.sent[what] = self.sent.get(what, 0) + 1

    def progress(self) -> None:
        self.requests = [pair for pair in self.requests if not pair[0].Test()]

    def write(self) -> None:
        Path(PLAN["report"]).write_text(json.dumps(self.sent))


def oversize(attacker: Attacker) -> None:
    large = np.zeros(100 * FRAME_BYTES, np.uint8)
    for victim in attacker.victims:
        for _ in range(12):
            attacker.send("twice as large", victim, large[: 2 * FRAME_BYTES])
        attacker.send("100 times as large", victim, large)


def nonsense(attacker: Attacker) -> None:
    garbage = np.random.default_rng(1).integers(256, size=FRAME_BYTES, dtype=np.uint8)
    for victim in attacker.victims:
        for _ in range(20):
            attacker.send("garbage", victim, garbage)
            attacker.send("too short", victim, garbage[:1000])
            attacker.send("empty", victim, garbage[:0])
            attacker.send("wrong tag", victim, garbage[:100], tag=99)


def flood(attacker: Attacker, size_bytes: int, count: int) -> None:
    """Small frames to the first victim, as fast as it takes them."""
    frame = np.zeros(size_bytes, np.uint8)
    before = len(attacker.requests)
    for _ in range(count):
        while len(attacker.requests) - before >= OUTSTANDING_MAX:
            attacker.progress()
            if time.monotonic() > attacker.deadline_s:
                return
        attacker.send("small", attacker.victims[0], frame)


def flood_of_tiny(attacker: Attacker) -> None:
    flood(attacker, 64, PLAN["flood"])


def flood_behind_oversize(attacker: Attacker) -> None:
    """What a receiver leaves where it is, and then what it takes and throws away."""
    oversize(attacker)
    flood(attacker, 4000, PLAN["flood"] // 2)


def astray(attacker: Attacker) -> None:
    """A flood where this rank has nothing to say, to one who does not listen to it."""
    strangers = [(attacker.victims[0][0], PLAN["stranger"]), (MPI.COMM_WORLD, 0)]
    for stranger in strangers:
        attacker.victims = [stranger]
        flood(attacker, 4000, PLAN["flood"] // 8)


def half_open(attacker: Attacker) -> None:
    """A good size to each victim, small ones behind it, and then not one call of MPI more.

    Of the first two kinds the first part is sent at once, and the rest never.
    """
    for victim in attacker.victims:
        attacker.send("half-open", victim, np.zeros(FRAME_BYTES, np.uint8))
        attacker.send("half-open and small", victim, np.zeros(4096, np.uint8))
    for _ in range(PLAN["flood"] // 10):
        attacker.send("small", attacker.victims[0], np.zeros(4000, np.uint8))


def agree(world: MPI.Intracomm) -> None:
    """Say that this rank can go on."""
    fine, first = np.array([world.size], np.int64), np.empty(1, np.int64)
    # As the others do it: a blocking call would not be the same collective.
    world.Iallreduce(fine, first, MPI.MIN).Wait()


def tell_cores(world: MPI.Intracomm) -> None:
    """Say to those on the same node which of 1024 cores this rank may use: none."""
    node = world.Split_type(MPI.COMM_TYPE_SHARED, key=world.rank)
    everyone = np.empty((node.size, 1024), np.uint8)
    node.Allgather(np.zeros(1024, np.uint8), everyone)
    node.Free()


def start_up() -> list[Victim]:
    """The collective calls that every rank takes part in, and then links to the victims."""
    world = MPI.COMM_WORLD
    agree(world)
    tell_cores(world)
    agree(world)
    everyone = world.Dup()
    same_role = world.Split(PLAN["colour"], key=PLAN["index"])
    for comm in (world, everyone, same_role):
        comm.Set_errhandler(MPI.ERRORS_RETURN)
    of_its_role = [(same_role, rank) for rank in PLAN["of_its_role"]]
    return [(everyone, rank) for rank in PLAN["of_the_other"]] + of_its_role


def main() -> None:
    # PR_SET_PDEATHSIG: it ends with the launcher's daemon, whatever it is doing.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    attacker = Attacker(start_up())
    # The victims may be done, and gone, before all is sent; the test sees how much was.
    with suppress(MPI.Exception):
        for attack in PLAN["attacks"]:
            globals()[attack](attacker)
    attacker.write()
    while time.monotonic() < attacker.deadline_s:
        if len(list(Path(PLAN["done"]).glob("rank-*.json"))) >= PLAN["enough"]:
            break
        time.sleep(0.01)
        if PLAN["attacks"] != ["half_open"]:
            with suppress(MPI.Exception):
                attacker.progress()
    os._exit(0)


main()
