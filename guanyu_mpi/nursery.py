"""Imports what ranks need, once for all ranks of a machine, and makes each as a fork of itself.

python -m guanyu_mpi.nursery PARENT FD MODULES PROGRAM [ARGUMENT ...] imports the MODULES, which
commas separate, and makes a rank, which is `python -m PROGRAM [ARGUMENT ...]`, for every launched
process that asks for one on the socket FD (stand_in.py). It ends with the process PARENT, has one
thread, and knows nothing of MPI.
"""

import gc
import os
import selectors
import signal
import socket
import struct
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from guanyu_mpi.become import become
from guanyu_mpi.processes import be_called, die_with_parent, launched_as
from guanyu_mpi.stand_in import MADE, PASSED_ON, STREAMS, environment_of

REQUEST_BYTES_MAX = 1 << 20
# Who has asked sends its request with its first breath.
REQUEST_S = 10.0
# pid, uid and gid, as Linux tells them of a peer.
_CREDENTIALS = "3i"


class Nursery:
    """Makes ranks for who asks, tells them what signals come, and whoever asked how they ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._deaths, bell = socket.socketpair()
        self._deaths.setblocking(False)
        bell.setblocking(False)
        self._bell = bell
        # By the rank's pid, which nobody else can have before the rank is buried.
        self._links: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._deaths, selectors.EVENT_READ)

    def serve(self) -> dict[str, str]:
        """Make ranks as long as this process lives; in each, returns its environment."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    environment = self._make()
                    if environment is not None:
                        return environment
                elif key.fileobj is self._deaths:
                    self._bury()
                elif key.data in self._links:
                    self._pass_on(key.data)

    def _make(self) -> dict[str, str] | None:
        """Make a rank for who asks next; in the rank itself, returns its environment."""
        link, _ = self._listener.accept()
        link.settimeout(REQUEST_S)
        try:
            asked, streams, _, _ = socket.recv_fds(link, REQUEST_BYTES_MAX, len(STREAMS))
        except OSError:
            asked, streams = b"", []
        pid = _fork() if len(streams) == len(STREAMS) and _is_launched_here(link) else None
        if pid == 0:
            cores = os.sched_getaffinity(_peer(link))
            link.close()
            self._leave()
            _take(streams)
            os.sched_setaffinity(0, cores)
            return environment_of(asked)
        for stream in streams:
            os.close(stream)
        if pid is None:
            link.close()
        else:
            self._keep(pid, link)
        return None

    def _keep(self, pid: int, link: socket.socket) -> None:
        """Listen to who has asked for a rank."""
        self._links[pid] = link
        self._selector.register(link, selectors.EVENT_READ, pid)
        _tell(link, MADE)

    def _pass_on(self, pid: int) -> None:
        """Send a rank the signal that was sent to who stands in for it, or kill it with them."""
        try:
            said = self._links[pid].recv(1)
        except OSError:
            said = b""
        if not said:
            self._selector.unregister(self._links[pid])
        os.kill(pid, said[0] if said else signal.SIGKILL)

    def _bury(self) -> None:
        """Tell how ranks have ended, all that have since the last time."""
        with suppress(BlockingIOError):
            while self._deaths.recv(1024):
                pass
        while self._links:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            link = self._links.pop(pid)
            with suppress(KeyError):
                self._selector.unregister(link)
            _tell(link, str(status).encode())
            link.close()

    def _leave(self) -> None:
        """Let go of all that is the nursery's and not a rank's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for own in (self._listener, self._deaths, self._bell, *self._links.values()):
            own.close()


def main() -> None:
    """Be the nursery; and then, in each of its forks, a rank."""
    die_with_parent(int(sys.argv[1]))
    listener = socket.socket(fileno=int(sys.argv[2]))
    # The ranks are told, and what they do then needs this process.
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in PASSED_ON}
    gc.disable()
    try:
        for module in sys.argv[3].split(","):
            import_module(module)
    # Every rank that then starts by itself finds that out for itself, and says so.
    except Exception:
        return
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        return
    # Memory is shared as long as nobody writes to it, and the collector writes to what it visits.
    gc.freeze()
    environment = Nursery(listener).serve()
    gc.enable()
    for signum, handler in before.items():
        signal.signal(signum, handler)
    _be_a_rank(environment)


def _be_a_rank(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    be_called(f"rank-{launched_as():03d}")
    program, *arguments = sys.argv[4:]
    become(program, arguments)


def _fork() -> int | None:
    try:
        return os.fork()
    # There is no room for another process here: let the launcher's own one try.
    except OSError:
        return None


def _take(streams: list[int]) -> None:
    for own, lent in zip(STREAMS, streams, strict=True):
        os.dup2(lent, own)
        os.close(lent)


def _tell(link: socket.socket, word: bytes) -> None:
    # Who stands in for a rank may be gone before it.
    with suppress(OSError):
        link.send(word)


def _peer(link: socket.socket) -> int:
    size = struct.calcsize(_CREDENTIALS)
    pid: int = struct.unpack(
        _CREDENTIALS, link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )[0]
    return pid


def _is_launched_here(link: socket.socket) -> bool:
    """Whether who asks is a child of the launcher itself, as ranks of this machine are.

    Those of others may seem to be, where machines are virtual; a daemon has started them.
    """
    with suppress(OSError):
        return _parent(_parent(_peer(link))) == os.getppid()
    return False


def _parent(pid: int) -> int:
    # Behind the name, which is in parentheses and may hold anything, and the state.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
