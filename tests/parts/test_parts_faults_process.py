"""What a fault does to a process: a real one, of its own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from waiting import until

LIMIT_S = 20.0


def start(call: str, directory: Path) -> "subprocess.Popen[str]":
    """A process that says so, is struck, and says whether it goes on."""
    program = (
        "from guanyu_mpi.cluster import Node, Role\n"
        "from guanyu_mpi.faults import process\n"
        "from guanyu_mpi.faults.kinds import Injection\n"
        "def at(kind, **options): return Injection(Node(Role.WORKER, 0), 1, kind, **options)\n"
        "print('there', flush=True)\n"
        # What it prints after this is not read along with the line before.
        "input()\n"
        f"{call}\n"
        "print('goes on', flush=True)\n"
    )
    struck = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
    )
    assert struck.stdout
    assert struck.stdout.readline() == "there\n"
    assert struck.stdin
    struck.stdin.write("\n")
    struck.stdin.flush()
    return struck


def until_status(process: psutil.Process, status: str) -> None:
    until(lambda: process.status() == status, f"it is {status}", LIMIT_S)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM"])
def test_a_crash_is_a_death_by_that_signal(name: str, tmp_path: Path) -> None:
    struck = start(f"process.crash(at('crash', signal='{name}'))", tmp_path)
    output, _ = struck.communicate(timeout=LIMIT_S)
    assert struck.returncode == -signal.Signals[name]
    assert output == ""


def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    allowed = (
        "import os, resource\n"
        "_, most = resource.getrlimit(resource.RLIMIT_CORE)\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (most, most))\n"
        "os.kill = lambda *_: print(resource.getrlimit(resource.RLIMIT_CORE)[0], flush=True)\n"
    )
    struck = start(f"{allowed}process.crash(at('crash', signal='SIGSEGV'))", tmp_path)
    output, errors = struck.communicate(timeout=LIMIT_S)
    assert (output, errors) == ("0\ngoes on\n", "")


def test_a_crash_with_a_code_leaves_at_once(tmp_path: Path) -> None:
    struck = start("process.crash(at('crash', exit_code=7))", tmp_path)
    output, _ = struck.communicate(timeout=LIMIT_S)
    assert (struck.returncode, output) == (7, "")


def test_a_hung_process_is_stopped(tmp_path: Path) -> None:
    struck = start("process.hang(at('hang'))", tmp_path)
    until_status(psutil.Process(struck.pid), psutil.STATUS_STOPPED)
    struck.kill()
    assert struck.communicate(timeout=LIMIT_S)[0] == ""


def test_a_busy_loop_runs(tmp_path: Path) -> None:
    struck = start("process.busy_loop(at('busy-loop'))", tmp_path)
    process = psutil.Process(struck.pid)
    before_s = process.cpu_times().user
    until(lambda: process.cpu_times().user >= before_s + 0.1, "it computes", LIMIT_S)
    struck.kill()
    assert struck.communicate(timeout=LIMIT_S)[0] == ""


def test_a_paused_process_goes_on_and_its_helper_is_gone(tmp_path: Path) -> None:
    began_s = time.monotonic()
    struck = start("process.pause(at('pause', duration_s=0.6))", tmp_path)
    process = psutil.Process(struck.pid)
    until_status(process, psutil.STATUS_STOPPED)
    (helper,) = process.children()
    output, errors = struck.communicate(timeout=LIMIT_S)
    assert (struck.returncode, output, errors) == (0, "goes on\n", "")
    assert time.monotonic() - began_s >= 0.6
    assert not helper.is_running()


def test_a_paused_process_that_is_killed_leaves_no_helper(tmp_path: Path) -> None:
    struck = start("process.pause(at('pause', duration_s=60.0))", tmp_path)
    process = psutil.Process(struck.pid)
    until_status(process, psutil.STATUS_STOPPED)
    helpers = process.children()
    assert len(helpers) == 1
    # It has asked to be told of its parent's death once it sleeps.
    until_status(helpers[0], psutil.STATUS_SLEEPING)
    time.sleep(0.5)
    struck.kill()
    struck.communicate(timeout=LIMIT_S)
    _, alive = psutil.wait_procs(helpers, timeout=LIMIT_S)
    assert not alive
