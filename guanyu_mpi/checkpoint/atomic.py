"""Files that appear in one move, or not at all."""

import errno
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from guanyu_mpi.checkpoint.vector_file import cause
from guanyu_mpi.errors import CheckpointError

_TEMPORARY = re.compile(r"\.writing-(?P<host>.+)-(?P<pid>[0-9]{1,9})\.h5")


def replace(path: Path, write: Callable[[Path], None]) -> None:
    """Put a file in place that `write` has forced to the disk; until then what was there stays.

    It is not read back: that would compare the kernel's memory with itself, and takes as long as
    writing. What a disk returns is verified when a restart reads it, against a quorum.
    """
    temporary = path.with_name(f".writing-{socket.gethostname()}-{os.getpid()}.h5")
    try:
        write(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync(directory: Path) -> None:
    """Force a directory's names to the disk; some file systems cannot, and say EINVAL."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def sweep(directory: Path) -> None:
    """Remove what writers left that died: a directory has one writer."""
    for place in directory.iterdir():
        match = _TEMPORARY.fullmatch(place.name)
        if match and not _alive(match["host"], int(match["pid"])):
            place.unlink()


@contextmanager
def faults_named(place: Path, done: str) -> Iterator[None]:
    """Turn what the file system and h5py raise into a CheckpointError: which place, and why."""
    try:
        yield
    # h5py raises RuntimeError when closing a file fails, as on a full disk.
    except (OSError, RuntimeError, ValueError) as fault:
        raise CheckpointError(f"{place}: not {done}: {cause(fault)}") from fault


def _alive(host: str, pid: int) -> bool:
    """Whether another process of this machine has this id; of other machines it is not known.

    Should one there still be writing, its move into place will fail, which is as it should be.
    """
    if host != socket.gethostname() or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
