"""Interesting interleavings, as transcripts that are read and reviewed as text.

A transcript's inputs are replayed, and what the cores answer must be what it says, to the letter:

    # a remark                                          kept as it is
    cluster servers=6 f=1 workers=6 f_workers=1 steps=10
    node server-00 step=0 rate=1                        a core, and below it its first effects
    server-00 <- worker-03 Gradient(0) [1.0, 0.0]       a message; own gradients look the same
    server-00 <- worker-05 not finite                   a vector with NaN or infinity
      broadcast Update(0) [0.5, 2.0] to servers         indented: the effects of the line above
    server-00 holds                                     how many votes it keeps

After a change of the inputs or of the protocol, write the answers anew and read the diff:

    GUANYU_REWRITE_TRANSCRIPTS=1 python -m pytest tests/protocol/test_transcripts.py
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from protocol_harness import cluster_of, server_core, told, vector, worker_core

from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.messages import Gradient, Message, Params, Update
from guanyu_mpi.protocol.effects import Effect
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore

FOLDER = Path(__file__).parent / "transcripts"
REWRITE = "GUANYU_REWRITE_TRANSCRIPTS"
NAMES = (
    "adopted-updates",
    "divergence",
    "early-messages",
    "equivocating-server",
    "healthy-step",
    "laggard-at-the-last-step",
    "late-worker",
    "more-than-a-quorum",
    "one-trusted-server",
    "replaced-messages",
    "restart",
    "worker-left-behind",
)
KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in (Params, Gradient, Update)}
NODE = re.compile(r"(server|worker)-(\d+)")
MESSAGE = re.compile(r"(\S+) <- (\S+) (\w+)\((\d+)\) (\[.*\])")
NOT_FINITE = re.compile(r"(\S+) <- (\S+) not finite")


class Stage:
    """The cores of a transcript, and what they answer to its lines."""

    def __init__(self) -> None:
        self._cores: dict[Node, ServerCore | WorkerCore] = {}
        self._cluster: Cluster | None = None
        self._steps = 0

    def answer(self, line: str) -> list[str]:
        """What one line of input leads to; a line that says nothing known is an error."""
        if line.endswith(" holds"):
            return [f"{self._cores[_node(line.split(maxsplit=1)[0])].votes_held} votes"]
        return told(self._effects(line))

    def _effects(self, line: str) -> list[Effect]:
        if line.startswith("cluster "):
            return self._open(**_numbers(line))
        if line.startswith("node "):
            return self._enter(_node(line.split()[1]), **_numbers(line))
        if found := MESSAGE.fullmatch(line):
            receiver, sender, kind, step, values = found.groups()
            message = KINDS[kind](int(step), vector(*json.loads(values)))
            return self._cores[_node(receiver)].receive(_node(sender), message)
        if found := NOT_FINITE.fullmatch(line):
            receiver, sender = found.groups()
            return self._cores[_node(receiver)].distrust(_node(sender))
        raise ValueError(f"a transcript has no such line: {line!r}")

    def _open(self, *, steps: int, **sizes: int) -> list[Effect]:
        self._steps, self._cluster = steps, cluster_of(**sizes)
        return []

    def _enter(self, node: Node, **options: int) -> list[Effect]:
        assert self._cluster is not None
        core = (
            server_core(self._cluster, node.index, steps=self._steps, **options)
            if node.role is Role.SERVER
            else worker_core(self._cluster, node.index, steps=self._steps)
        )
        self._cores[node] = core
        return core.start()


def replay(lines: Iterable[str]) -> Iterator[str]:
    """The transcript of the same inputs as the cores answer them today."""
    stage = Stage()
    for line in lines:
        if line.startswith("  "):
            continue
        yield line
        if line and not line.startswith("#"):
            yield from (f"  {answer}" for answer in stage.answer(line))


def _numbers(line: str) -> dict[str, int]:
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


def _node(name: str) -> Node:
    found = NODE.fullmatch(name)
    assert found, name
    return Node(Role(found[1]), int(found[2]))


@pytest.mark.parametrize("name", NAMES)
def test_the_cores_answer_as_the_transcript_says(name: str) -> None:
    path = FOLDER / f"{name}.txt"
    written = path.read_text(encoding="utf-8").splitlines()
    answered = list(replay(written))
    if os.environ.get(REWRITE) and answered != written:
        path.write_text("\n".join(answered) + "\n", encoding="utf-8")
        pytest.fail(f"{path.name} has been rewritten: read the diff, then run the tests again")
    assert answered == written


def test_every_transcript_is_listed_and_every_listed_one_is_there() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(NAMES)


def test_every_transcript_has_inputs_and_effects() -> None:
    for name in NAMES:
        lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        assert any(" <- " in line for line in lines), name
        assert any(line.startswith("  ") for line in lines), name


def test_a_line_that_nobody_understands_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such line"):
        list(replay(["server-00 says hello"]))
