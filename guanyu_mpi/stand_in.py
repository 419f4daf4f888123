"""What a launcher starts in the place of a rank that a nursery makes: it waits for the rank's end.

It lends the rank its environment and its streams, passes on the signals that it is sent, and ends
as the rank does. A rank is killed when who stands in for it is gone (nursery.py).
"""

import os
import resource
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from guanyu_mpi.processes import LEAVE, die_with_parent, launched_as

# The directory in which every rank finds the socket of its nursery, by the number of the rank.
NURSERY_ENV = "GUANYU_NURSERY"
# What launchers, batch systems and terminals send to a rank, and it can take.
PASSED_ON = (*LEAVE, signal.SIGUSR2, signal.SIGHUP, signal.SIGQUIT, signal.SIGCONT)
STREAMS = (0, 1, 2)
# The nursery's first word; its second is how the rank has ended.
MADE = b"made"
WORD_BYTES = 16


def stand_in() -> None:
    """Have a nursery make this rank, and end as it ends; returns at once where none makes it."""
    path = os.environ.pop(NURSERY_ENV, "")
    link = _asked(f"{path}/{launched_as()}") if path else None
    if link is None:
        return
    die_with_parent()

    def pass_on(signum: int, _: FrameType | None) -> None:
        with suppress(OSError):
            link.send(bytes([signum]))

    before = {signum: signal.signal(signum, pass_on) for signum in PASSED_ON}
    if _word(link) == MADE:
        _end(int(_word(link) or signal.SIGKILL))
    link.close()
    for signum, handler in before.items():
        signal.signal(signum, handler)


def request(environment: Mapping[str, str]) -> bytes:
    """What a nursery is asked with, beside the streams: an environment."""
    return b"\0".join(os.fsencode(f"{name}={value}") for name, value in environment.items())


def environment_of(asked: bytes) -> dict[str, str]:
    """The environment that was asked with."""
    named = (os.fsdecode(variable).partition("=") for variable in asked.split(b"\0"))
    return {name: value for name, _, value in named}


def _asked(path: str) -> socket.socket | None:
    """The link to a nursery that has been asked for this rank."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        link.connect(path)
        socket.send_fds(link, [request(os.environ)], STREAMS)
    # It is not there, on another machine; or the environment is longer than a packet.
    except OSError:
        link.close()
        return None
    return link


def _word(link: socket.socket) -> bytes:
    """What a nursery says next; nothing once it is gone."""
    try:
        return link.recv(WORD_BYTES)
    except OSError:
        return b""


def _end(status: int) -> NoReturn:
    """End as a child did that `os.wait` has told this status of."""
    if os.WIFSIGNALED(status):
        # The rank has left a core file, if one is wanted.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signum = os.WTERMSIG(status)
        if signum != signal.SIGKILL:
            signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
    os._exit(os.waitstatus_to_exitcode(status))
