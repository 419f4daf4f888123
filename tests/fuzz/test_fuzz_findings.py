"""What fuzzing has found, each as a law of its own."""

import json
import tomllib
from pathlib import Path

import pytest
from fuzz_targets import SHORT

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.config import load_config, parse_config
from guanyu_mpi.done import Done, done_path, read_done, write_done
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.journal import Journal
from guanyu_mpi.launch import Verdict
from guanyu_mpi.metrics import read_events
from guanyu_mpi.summary import launched

CLUSTER = Cluster(6, 1, 5, 6, 1, 5)
HONEST = Done(3, "server-03", "failed", 7, "no space left")
BRACKETS = "[" * 20_000


def test_a_configuration_of_thousands_of_brackets_is_not_toml(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(f"key = {BRACKETS}")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config(path)


def test_an_override_of_thousands_of_brackets_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(SHORT)
    with pytest.raises(ConfigError, match=r"run\.steps"):
        load_config(path, [f"run.steps={BRACKETS}"])


def test_a_log_line_of_thousands_of_brackets_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f'{BRACKETS}\n{{"event": "started"}}\n')
    assert read_events(path) == [{"event": "started"}]


@pytest.mark.parametrize(
    "text",
    [
        BRACKETS,
        json.dumps({"rank": 3, "node": 7, "outcome": "failed", "step": 7, "reason": ""}),
        json.dumps({"rank": 3, "node": "s", "outcome": [], "step": 7, "reason": ""}),
        json.dumps({"rank": 3, "node": "s", "outcome": "failed", "step": "7", "reason": ""}),
        json.dumps({"rank": 3.0, "node": "s", "outcome": "failed", "step": 7, "reason": ""}),
    ],
    ids=["brackets", "node", "outcome", "step", "rank"],
)
def test_a_done_file_that_is_not_one_says_nothing(tmp_path: Path, text: str) -> None:
    write_done(tmp_path, HONEST)
    assert read_done(tmp_path, CLUSTER) == [HONEST]
    done_path(tmp_path, 3).write_text(text)
    assert read_done(tmp_path, CLUSTER) == []


def test_what_a_rank_says_of_itself_does_not_write_to_the_terminal(tmp_path: Path) -> None:
    write_done(tmp_path, Done(3, "server-03", "failed", 7, "\x1b]0;owned\x07 \u202e\n\r"))
    config = parse_config(tomllib.loads(SHORT))
    lines = launched(config, tmp_path, Verdict(False, tuple(read_done(tmp_path, CLUSTER)), 1))
    assert any("owned" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_node_that_jumps_over_every_tenth_step_still_writes(tmp_path: Path) -> None:
    """Not found by fuzzing: it would have passed for silent."""
    path = tmp_path / "rank.jsonl"
    journal = Journal(path, Node(Role.WORKER, 1), lambda: 0.0, every=10)
    for step in (0, 4, 13, 17, 58, 60, 61):
        journal.gradient(step, 1.0)
    assert [event["step"] for event in read_events(path)] == [0, 13, 58, 60]
