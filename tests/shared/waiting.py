"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def until(
    happened: Callable[[], bool],
    what: str = "it happens",
    timeout_s: float = 300.0,
    poll_s: float = 0.02,
) -> None:
    """Wait for something that must happen."""
    deadline_s = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(poll_s)
