"""What happened in a run, one JSON object per line; a torn last line is skipped when read."""

import errno
import json
import math
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias, TypeGuard

Value: TypeAlias = str | int | float | bool | list[str] | dict[str, float] | None
Event: TypeAlias = dict[str, Value]

# A damaged log can say anything; no figure of ours is as large.
FIGURE_MAX = 1e300


class EventLog:
    """A file that events are appended to, each written at once so that a kill loses none."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A kill or a full disk has left half a line: what follows must not become its other half.
        self._torn = _is_torn(path)
        # Unbuffered: a line is one write, and a node that is gone has nothing left to write.
        self._file = path.open("ab", buffering=0)
        weakref.finalize(self, self._file.close)

    def record(self, **fields: Value) -> None:
        """Append one event; numbers that JSON cannot express become null. Raises OSError."""
        finite = {key: _expressible(value) for key, value in fields.items()}
        line = json.dumps(finite, allow_nan=False).encode() + b"\n"
        if self._torn:
            line = b"\n" + line
        written = self._file.write(line)
        self._torn = written < len(line)
        if self._torn:
            raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes written")


class EventTail:
    """Reads the events that have been appended since it last looked, from the file's end on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def read(self) -> Iterator[Event]:
        """New events; a line that is still being written is left for the next time."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]
        self._offset += len(complete)
        yield from parse_events(complete)


def read_events(path: Path) -> list[Event]:
    """Events of a file, oldest first; lines that a kill has torn are left out."""
    return list(parse_events(path.read_bytes())) if path.exists() else []


def parse_events(lines: bytes) -> Iterator[Event]:
    """Events of lines; those that are none are left out."""
    for line in lines.splitlines():
        try:
            event = json.loads(line)
        # Thousands of brackets exhaust the stack.
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def is_figure(value: object) -> TypeGuard[float]:
    """Whether a value is a number that can be drawn and compared."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < FIGURE_MAX and math.isfinite(value)


def figure(event: Event, key: str) -> float | None:
    """A finite number of an event; None where it has none."""
    value = event.get(key)
    return float(value) if is_figure(value) else None


def _is_torn(path: Path) -> bool:
    """Whether the last line of a file has no end."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def _expressible(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value
