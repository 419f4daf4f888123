"""Events of a file of any size in bounded memory: all of them, or stretches spread over it."""

from collections.abc import Iterator
from pathlib import Path

from guanyu_mpi.metrics import Event, parse_events

# A run of 10^6 observed steps is read whole.
WHOLE_BYTES_MAX = 32 << 20
# What is read of a larger file, the first stretch at its beginning and the last at its end.
STRETCHES = 128
STRETCH_BYTES = WHOLE_BYTES_MAX // STRETCHES


def excerpt(path: Path, whole_bytes_max: int = WHOLE_BYTES_MAX) -> list[Event]:
    """Events of a file, oldest first; none where it cannot be read."""
    return list(events(path, whole_bytes_max))


def events(path: Path, whole_bytes_max: int = WHOLE_BYTES_MAX) -> Iterator[Event]:
    """The same, each when it is asked for."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            return
        if size <= whole_bytes_max:
            yield from parse_events(_read(path, 0, size))
            return
        for lines in _stretches(path, size, whole_bytes_max):
            yield from lines
    except OSError:
        return


def _stretches(path: Path, size: int, whole_bytes_max: int) -> Iterator[list[Event]]:
    each = max(1, whole_bytes_max // STRETCHES)
    for number in range(STRETCHES):
        start = (size - each) * number // (STRETCHES - 1)
        lines = _read(path, start, each)
        # Lines that the stretch has cut are no events.
        begin = lines.find(b"\n") + 1 if start else 0
        yield list(parse_events(lines[begin : lines.rfind(b"\n") + 1]))


def _read(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)
