"""Kill -9 a whole job at random moments, ten times over, and continue it with the same command.

    python benchmarks/restarts/kill_ten_times.py [CONFIG] [--kills 10] [--seed 0]

Prints a line per life and the final state; exits with 1 if the run does not end where it should.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from guanyu_mpi.config import load_config
from guanyu_mpi.journal import observer_log, rank_log
from guanyu_mpi.metrics import read_events

ROOT = Path(__file__).parents[2]
# One life in four ends while the ranks start up, the others while they train.
STARTING_S_MAX = 10.0
TRAINING_S_MAX = 2.0


def launch(config: Path, run_dir: Path) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", "guanyu_mpi", "launch", str(config), "--run-dir", str(run_dir)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_a_moment(process: "subprocess.Popen[str]", run_dir: Path, rng: random.Random) -> str:
    """Sleep until the moment of the kill; say when that is."""
    if rng.random() < 1 / 4:
        moment_s = rng.uniform(0.5, STARTING_S_MAX)
        time.sleep(moment_s)
        return f"{moment_s:.1f} s after the launch"
    before = lives(run_dir)
    while lives(run_dir) == before and process.poll() is None:
        time.sleep(0.05)
    moment_s = rng.uniform(0.0, TRAINING_S_MAX)
    time.sleep(moment_s)
    return f"{moment_s:.1f} s into training"


def lives(run_dir: Path) -> int:
    """How often server 0 has started to train."""
    return sum(event.get("event") == "started" for event in read_events(rank_log(run_dir, 0)))


def kill_all(process: "subprocess.Popen[str]") -> int:
    """Kill -9 the launch, mpirun and every rank; how many processes that was."""
    parent = psutil.Process(process.pid)
    family = [parent, *parent.children(recursive=True)]
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(family, timeout=30)
    process.communicate()
    if alive:
        raise SystemExit(f"these outlived SIGKILL: {alive}")
    return len(family)


def last_commit(run_dir: Path) -> int:
    """Newest step that server 0 has said it has committed, in any life."""
    events = read_events(rank_log(run_dir, 0))
    steps = [event["step"] for event in events if event.get("event") == "commit"]
    return max((step for step in steps if isinstance(step, int)), default=0)


def restart_step(run_dir: Path) -> str:
    argv = [sys.executable, "-m", "guanyu_mpi", "inspect", str(run_dir)]
    shown = subprocess.run(argv, capture_output=True, text=True, check=False)
    return shown.stdout.splitlines()[-1] if shown.returncode == 0 else shown.stderr.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = ROOT / "configs" / "quickstart.toml"
    parser.add_argument("config", nargs="?", type=Path, default=default)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    config = load_config(arguments.config)
    with tempfile.TemporaryDirectory() as directory:
        run_dir = Path(directory) / "run"
        for life in range(1, arguments.kills + 1):
            process = launch(arguments.config, run_dir)
            when = wait_for_a_moment(process, run_dir, rng)
            if process.poll() is not None:
                print(f"life {life}: finished first: {process.communicate()[0]}")
                continue
            killed = kill_all(process)
            print(
                f"life {life}: {killed} processes killed {when}, "
                f"at step {last_commit(run_dir)}; {restart_step(run_dir)}",
                flush=True,
            )
        process = launch(arguments.config, run_dir)
        output, _ = process.communicate(timeout=600)
        print(output)
        finals = read_events(observer_log(run_dir))
        print(f"final observation {finals[-1]}")
        return 0 if process.returncode == 0 and finals[-1]["step"] == config.run.steps else 1


if __name__ == "__main__":
    sys.exit(main())
