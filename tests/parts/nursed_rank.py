"""A rank for tests of nurseries: python -m nursed_rank FILE [WORD ...] does what DEED names.

FILE is where it says that it is there, and what it finds: JSON.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np

FOUND = Path(sys.argv[1])


def tell(**more: object) -> None:
    """Say what there is here; the file is whole once it has its name."""
    found = {
        "pid": os.getpid(),
        "name": Path("/proc/self/comm").read_text(),
        "words": sys.argv[2:],
        "environment": dict(os.environ),
        "cores": sorted(os.sched_getaffinity(0)),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "files": [str(each.resolve()) for each in Path("/proc/self/fd").iterdir()],
        "torch": "torch" in sys.modules,
        "drawn": [random.random(), np.random.random()],
        **more,
    }
    beside = FOUND.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(found))
    beside.replace(FOUND)


def echo() -> None:
    """Pass on what is said to it, and complain."""
    tell()
    sys.stdout.write(f"heard {sys.stdin.read()}\n")
    sys.stderr.write("complains\n")


def listen() -> None:
    """Tell of the first signal, and go on for ever."""
    for signum in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda signum, _: tell(heard=signum))
    tell()
    while True:
        signal.pause()


def stop() -> None:
    """Hang, so that no handler of its own can do anything."""
    tell()
    os.kill(os.getpid(), signal.SIGSTOP)


DEEDS = {
    "echo": echo,
    "listen": listen,
    "stop": stop,
    "leave": lambda: os._exit(int(os.environ["STATUS"])),
    "die": lambda: os.kill(os.getpid(), int(os.environ["STATUS"])),
}

if __name__ == "__main__":
    DEEDS[os.environ["DEED"]]()
