"""Freed memory is kept: the kernel need not clear new pages for what was held before."""

import platform
import resource
import subprocess
import sys

import pytest

from guanyu_mpi.heap import keep_freed_memory

TURNS = 20
# More than glibc ever keeps by itself.
SIZE = 48 * 2**20


def test_a_process_that_keeps_its_memory_has_few_page_faults_and_no_more_memory() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("the C library is not glibc, whose memory this is about")
    (usual_faults, usual_peak), (faults, peak) = used("no"), used("yes")
    assert usual_faults > 5 * faults
    assert peak < usual_peak + SIZE / 2


def used(keeps: str) -> tuple[int, int]:
    """Page faults, and bytes held at most, of a process that takes and frees again and again."""
    argv = [sys.executable, __file__, keeps]
    run = subprocess.run(argv, check=True, capture_output=True, text=True)
    faults, peak = map(int, run.stdout.split())
    return faults, peak


def take_and_free(keeps: str) -> None:
    if keeps == "yes":
        keep_freed_memory()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TURNS):
        held = [b"x" * (SIZE // 2), b"x" * SIZE]
        del held
    after = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(f"{after.ru_minflt - before} {1024 * after.ru_maxrss}")


if __name__ == "__main__":
    take_and_free(sys.argv[1])
