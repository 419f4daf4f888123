"""The MPI transport against peers that break every rule: real ranks, real frames."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guanyu_mpi.launch import find_launcher
from guanyu_mpi.launch import launcher_environment as environment

pytestmark = [pytest.mark.mpi, pytest.mark.usefixtures("sessions")]

PROGRAMS = Path(__file__).parent / "programs"
SHARED_MEMORY: tuple[str, ...] = ()
TCP = ("--mca", "btl", "self,tcp")


def run_program(name: str, ranks: int, *arguments: str, mca: tuple[str, ...]) -> dict[str, object]:
    launcher, library = find_launcher()
    if not library.can_tolerate_faults:
        pytest.skip(f"{library} cannot run ranks that leave without MPI_Finalize")
    flags = ["--with-ft", "ulfm", "--oversubscribe", "--bind-to", "none"]
    flags += ["--mca", "btl_tcp_flags", "1", *mca]
    argv = [str(launcher), *flags, "-n", str(ranks), sys.executable, str(PROGRAMS / name)]
    finished = subprocess.run(
        [*argv, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment()},
    )
    lines = [line for line in finished.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 1, finished.stdout + finished.stderr
    result: dict[str, object] = json.loads(lines[0])
    return result


@pytest.mark.parametrize("mca", [SHARED_MEMORY, TCP], ids=["shared-memory", "tcp"])
@pytest.mark.parametrize("dimension", [1000, 1_756_426])
def test_bad_frames_are_counted_and_dropped_and_the_honest_one_arrives(
    mca: tuple[str, ...], dimension: int
) -> None:
    result = run_program("hostile_sender.py", 2, str(dimension), mca=mca)
    # Too short twice, too long, empty, under a wrong tag, a word said again, and the flood of 200.
    assert result["faults"] == {
        "size": 206,
        "magic": 1,
        "kind": 2,
        "step": 1,
        "non-finite": 1,
    }
    assert result["received"] == [[2, 7.0]]
    assert result["left"] is True


def test_what_comes_where_nothing_belongs_is_thrown_away() -> None:
    result = run_program("strange_links.py", 1, mca=SHARED_MEMORY)
    # Three where nothing is ever to come, and of a flood where something may: 512 in a look.
    assert result == {"nothing came": 3, "something came": 512, "after that": [512, 176, 0]}


@pytest.mark.parametrize("mca", [SHARED_MEMORY, TCP], ids=["shared-memory", "tcp"])
def test_a_silent_receiver_costs_two_messages_and_holds_nobody_up(mca: tuple[str, ...]) -> None:
    result = run_program("silent_receiver.py", 3, mca=mca)
    assert result["heard_last"] == 60
    # 61 messages to the silent one: one in flight, one pending, the others replaced.
    assert isinstance(result["replaced"], int)
    assert result["replaced"] >= 59


def test_oversize_messages_are_counted_however_many_and_never_received() -> None:
    result = run_program("silent_receiver.py", 3, mca=SHARED_MEMORY)
    assert result["rejected"] == result["oversize"]


@pytest.mark.parametrize("mca", [SHARED_MEMORY, TCP], ids=["shared-memory", "tcp"])
def test_a_peer_that_dies_keeps_nobody_from_hearing_the_others(mca: tuple[str, ...]) -> None:
    """All peers are one question to MPI, which refuses to answer once one of them has died...

    ... until it is told that this is known.
    """
    result = run_program("dying_peer.py", 3, mca=mca)
    assert (result["dead"], result["refuses"]) == (1, False)
    by_the_death, in_the_end = result["by_the_death"], result["in_the_end"]
    assert isinstance(in_the_end, list)
    # It is noticed while nobody speaks.
    assert by_the_death == [0, 1]
    assert in_the_end[0] >= 20
