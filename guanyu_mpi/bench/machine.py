"""The machine: what it is, how much memory is left, and how to use one core of it only."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from guanyu_mpi import __version__
from guanyu_mpi.bench.report import Machine

# Read by the libraries below numpy and torch when they are loaded, and not later.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def pin() -> None:
    """Keep this process on the last core it may use: the first one serves most interrupts."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def described(cores: int) -> Machine:
    """This machine, of which this process may have used so many cores."""
    packages = {name: _version(name) for name in ("numpy", "torch", "byzfl")}
    return Machine(
        processor=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=cores,
        memory_bytes=_memory_bytes("MemTotal"),
        load=os.getloadavg()[0],
        versions={
            "guanyu_mpi": __version__,
            "python": platform.python_version(),
            **{name: found for name, found in packages.items() if found},
        },
    )


def memory_fault(n: int, d: int, available_bytes: int) -> str:
    """Why vectors (n, d) are not measured; empty if there is room for them.

    >>> memory_fault(33, 25_000_000, 4 * 10**9)
    'n = 33, d = 25,000,000 is left out: it needs 8.2 GB of memory, and 4.0 GB are free'
    """
    short = shortage(rules_bytes(n, d), available_bytes)
    return f"n = {n}, d = {d:,} is left out: it {short}" if short else ""


def rules_bytes(n: int, d: int) -> int:
    """What rules on vectors (n, d) take: these, once more as somebody's temporary, and results."""
    return 10 * n * d


def shortage(needed_bytes: int, available_bytes: int) -> str:
    """What is missing, in words; empty if nothing is.

    >>> shortage(13 * 10**9, 4 * 10**9)
    'needs 13.0 GB of memory, and 4.0 GB are free'
    """
    if needed_bytes <= available_bytes:
        return ""
    return (
        f"needs {needed_bytes / 1e9:.1f} GB of memory, and {available_bytes / 1e9:.1f} GB are free"
    )


def available_bytes() -> int:
    """Memory that can be had without swapping."""
    return _memory_bytes("MemAvailable")


def _memory_bytes(name: str) -> int:
    return 1024 * int(_field("/proc/meminfo", name).removesuffix("kB"))


def _field(path: str, name: str) -> str:
    """The first value of that name in a file of "name: value" lines; empty if there is none."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
