"""jobs/attempt.sh: when a job is queued again, and what its signals do; Slurm's part is played."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ATTEMPT = Path(__file__).parents[2] / "jobs" / "attempt.sh"
JOB = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NODELIST": "node[1-3]",
    "SLURM_JOB_NUM_NODES": "3",
    "SLURMD_NODENAME": "node1",
    "REQUEUE_PAUSE": "0.1",
}

# What Slurm does to a script that queues its job again, and what it says where that is forbidden.
REQUEUES = '#!/bin/sh\necho "$@" > requeued\nkill -KILL $PPID\n'
# Whether all nodes answer.
ANSWER = "#!/bin/sh\nexit 0\n"
SILENCE = '#!/bin/sh\ncase "$*" in *--nodelist=node1*) exit 0;; esac\nexit 1\n'
# Whether srun starts anything.
NOTHING = "#!/bin/sh\nexit 1\n"
REFUSES = '#!/bin/sh\necho "$@" >> refused\nexit 1\n'
# Ready when told so, then waiting for a signal.
PATIENT = """
trap 'echo USR1 > told; exit 85' USR1
trap 'echo TERM > told; exit 85' TERM
echo ready
while :; do sleep 0.1; done
"""


def attempt(
    directory: Path, command: str, scontrol: str = REQUEUES, srun: str = ANSWER, **variables: str
) -> "subprocess.Popen[str]":
    for name, text in (("scontrol", scontrol), ("srun", srun)):
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    path = f"{directory}:{os.environ['PATH']}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return subprocess.Popen(
        [str(ATTEMPT), "bash", "-c", command],
        cwd=directory,
        env={**clean, "PATH": path, **JOB, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tell(process: "subprocess.Popen[str]", signum: signal.Signals, after_s: float = 0.0) -> None:
    """Once the command is ready, and so long after that."""
    assert process.stdout is not None
    while process.stdout.readline() != "ready\n":
        assert process.poll() is None
    time.sleep(after_s)
    process.send_signal(signum)
    process.communicate(timeout=30)


@pytest.mark.parametrize("status", [0, 1, 2, 130])
def test_a_command_that_has_not_saved_ends_the_job_with_its_status(
    tmp_path: Path, status: int
) -> None:
    process = attempt(tmp_path, f"exit {status}")
    process.communicate(timeout=30)
    assert process.returncode == status
    assert not (tmp_path / "requeued").exists()


def test_a_command_that_has_saved_is_queued_again(tmp_path: Path) -> None:
    process = attempt(tmp_path, "exit 85")
    process.communicate(timeout=30)
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"


def test_a_job_that_has_lost_a_node_is_queued_again(tmp_path: Path) -> None:
    process = attempt(tmp_path, "exit 1", srun=SILENCE)
    process.communicate(timeout=30)
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"


def test_an_srun_that_starts_nothing_is_no_sign_of_a_lost_node(tmp_path: Path) -> None:
    process = attempt(tmp_path, "exit 1", srun=NOTHING)
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert not (tmp_path / "requeued").exists()


def test_a_job_that_is_cancelled_while_nodes_are_asked_does_not_come_back(tmp_path: Path) -> None:
    slow = '#!/bin/sh\ncase "$*" in *--nodelist=node1*) exit 0;; esac\nsleep 2\nexit 1\n'
    process = attempt(tmp_path, "echo ready; exit 1", srun=slow)
    tell(process, signal.SIGTERM, after_s=1.0)
    assert process.returncode == 1
    assert not (tmp_path / "requeued").exists()


def test_a_job_that_is_cancelled_while_the_controller_is_away_does_not_come_back(
    tmp_path: Path,
) -> None:
    away = (
        "#!/bin/sh\n[ -e refused ] || { touch refused; exit 1; }\n" + REQUEUES.partition("\n")[2]
    )
    process = attempt(tmp_path, "echo ready; exit 85", away, REQUEUE_PAUSE="3")
    tell(process, signal.SIGTERM, after_s=1.5)
    assert process.returncode == 85
    assert (tmp_path / "refused").exists()
    assert not (tmp_path / "requeued").exists()


@pytest.mark.parametrize(("lost", "requeued"), [("0", True), ("1", True), ("none", False)])
def test_all_parts_of_a_heterogeneous_job_are_asked_for_lost_nodes(
    tmp_path: Path, lost: str, requeued: bool
) -> None:
    asked = f'#!/bin/sh\necho "$*" >> asked\ncase "$*" in --het-group={lost}*) exit 1;; esac\n'
    parts = {f"SLURM_JOB_NUM_NODES_HET_GROUP_{part}": nodes for part, nodes in enumerate("65")}
    process = attempt(tmp_path, "exit 1", srun=asked, SLURM_HET_SIZE="2", **parts)
    process.communicate(timeout=30)
    assert (tmp_path / "requeued").exists() == requeued
    lines = (tmp_path / "asked").read_text().splitlines()
    if requeued:
        assert lines.pop() == "--overlap --mpi=none --nodes=1 --ntasks=1 --nodelist=node1 true"
    assert lines == [
        f"--het-group={part} --overlap --mpi=none --nodes={nodes} --ntasks={nodes} "
        "--ntasks-per-node=1 true"
        for part, nodes in enumerate("65"[: len(lines)])
    ]
    assert len(lines) == (1 if lost == "0" else 2)


def test_wrong_input_is_not_tried_again_whatever_the_nodes_do(tmp_path: Path) -> None:
    process = attempt(tmp_path, "exit 2", srun=SILENCE)
    process.communicate(timeout=30)
    assert process.returncode == 2
    assert not (tmp_path / "requeued").exists()


def test_a_restart_that_is_refused_is_tried_on_other_nodes(tmp_path: Path) -> None:
    process = attempt(tmp_path, "exit 2", SLURM_RESTART_COUNT="1")
    output, _ = process.communicate(timeout=30)
    assert (tmp_path / "requeued").read_text() == "requeue 7\n", output


def test_an_element_of_an_array_is_queued_again_alone(tmp_path: Path) -> None:
    array = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
    attempt(tmp_path, "exit 85", **array).communicate(timeout=30)
    assert (tmp_path / "requeued").read_text() == "requeue 7_3\n"


def test_restarts_are_counted_and_end(tmp_path: Path) -> None:
    counted = {"MAX_RESTARTS": "3", "SLURM_RESTART_COUNT": "3"}
    process = attempt(tmp_path, "exit 85", **counted)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 85
    assert "restarted 3 times, as often as MAX_RESTARTS allows" in output
    assert not (tmp_path / "requeued").exists()


def test_a_site_that_forbids_it_is_told_of_the_chain(tmp_path: Path) -> None:
    process = attempt(tmp_path, "exit 85", REFUSES)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 85
    assert (tmp_path / "refused").read_text() == "requeue 7\n" * 4
    assert "jobs/chain.sh" in output


def test_a_controller_that_is_away_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    away = (
        "#!/bin/sh\n[ -e refused ] || { touch refused; exit 1; }\n" + REQUEUES.partition("\n")[2]
    )
    process = attempt(tmp_path, "exit 85", away)
    process.communicate(timeout=30)
    assert (tmp_path / "refused").exists()
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"


def test_the_warning_of_the_time_limit_reaches_the_command(tmp_path: Path) -> None:
    process = attempt(tmp_path, PATIENT)
    tell(process, signal.SIGUSR1)
    assert (tmp_path / "told").read_text() == "USR1\n"
    assert (tmp_path / "requeued").exists()


def test_a_job_that_is_cancelled_does_not_come_back(tmp_path: Path) -> None:
    process = attempt(tmp_path, PATIENT)
    tell(process, signal.SIGTERM)
    assert (tmp_path / "told").read_text() == "TERM\n"
    assert process.returncode == 85
    assert not (tmp_path / "requeued").exists()
