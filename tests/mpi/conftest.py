"""What jobs need that are started by mpirun itself, and not by `guanyu launch`."""

from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest

from guanyu_mpi.launch import SESSIONS_ENV


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory of its own for what mpirun leaves behind when it is killed.

    It is named by its pid, and pids repeat within an hour of tests: the next of the same pid would
    fail on it before any rank is there.
    """
    # Not pytest's, whose names are too long for a socket.
    with TemporaryDirectory(prefix="guanyu-", ignore_cleanup_errors=True) as directory:
        monkeypatch.setenv(SESSIONS_ENV, directory)
        yield
