"""Attacks on the protocol in simulated runs: who waits for everyone waits, a quorum does not.

Nothing that is sent is a lie: the attacked node says nothing, or says it late, or not to all.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import pytest
from attack_harness import server, worker

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.messages import Message
from guanyu_mpi.protocol.effects import Commit, Effect
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.simulation import Simulated, simulate

STEPS = 10
NODES = 6
# How many times as long as without the attack a run takes at least, and at most.
SUFFERS, SURVIVES = 10.0, 1.5
# A step takes 15 ms, and this by far the most of it.
LATE_MS = 500.0

WORKER, SERVER = worker(NODES - 1), server(NODES - 1)
SERVERS = tuple(server(index) for index in range(NODES - 1))
RECEIVE = ServerCore.receive


@dataclass(frozen=True, slots=True)
class Case:
    """Who breaks the protocol, which servers miss its votes, and how that is configured."""

    node: Node
    missed_by: tuple[Node, ...]
    changes: Mapping[str, object]


def muted(role: str) -> Mapping[str, object]:
    return {"attack": {role: {"name": "mute", "count": 1}}}


def slowed(node: Node) -> Mapping[str, object]:
    return {"simulation": {"slow": {str(node): 200.0}}}


def late(sender: Node, *receivers: Node) -> Mapping[str, object]:
    links = [
        {"sender": str(sender), "receiver": str(receiver), "delay_ms_mean": LATE_MS}
        for receiver in receivers
    ]
    return {"simulation": {"links": links}}


# A server says something to workers, too.
WORKERS = tuple(worker(index) for index in range(NODES))
CASES = {
    "a mute worker": Case(WORKER, SERVERS, muted("workers")),
    "a mute server": Case(SERVER, SERVERS, muted("servers")),
    "a slow worker": Case(WORKER, SERVERS, slowed(WORKER)),
    "a slow server": Case(SERVER, SERVERS, slowed(SERVER)),
    "a delayed worker": Case(WORKER, SERVERS, late(WORKER, *SERVERS, SERVER)),
    "a delayed server": Case(SERVER, SERVERS, late(SERVER, *SERVERS, *WORKERS)),
    "a worker that speaks to some": Case(WORKER, SERVERS[:2], late(WORKER, *SERVERS[:2])),
    "a server that speaks to some": Case(
        SERVER, SERVERS[:2], late(SERVER, *SERVERS[:2], *WORKERS[:2])
    ),
}


def averaging(changes: Mapping[str, object]) -> Config:
    """Plain averaging of everyone."""
    return config_of(0, {"gradients": "average", "models": "average"}, changes)


def guanyu(changes: Mapping[str, object]) -> Config:
    """Quorums of five of six, and the rules of the paper."""
    return config_of(1, {"gradients": "multi-krum", "models": "median"}, changes)


def config_of(f: int, rules: Mapping[str, str], changes: Mapping[str, object]) -> Config:
    return parse_config(
        {
            "run": {"name": "protocol", "steps": STEPS},
            "cluster": {"servers": NODES, "byzantine_servers": f}
            | {"workers": NODES, "byzantine_workers": f},
            "model": {"name": "quadratic", "options": {"dimension": 10}},
            "train": {"learning_rate": 0.1},
            "aggregation": rules,
            "observe": {"every": STEPS},
            **changes,
        }
    )


def duration_s(result: Simulated) -> float:
    """When the last step was seen, in virtual time; infinite if it never was."""
    seen = result.observation
    return seen.time_s if seen and seen.step == STEPS else float("inf")


@cache
def undisturbed_s(*, resilient: bool) -> float:
    return duration_s(simulate(guanyu({}) if resilient else averaging({})))


class Quorums:
    """Follows what servers commit: of which nodes' votes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._commits: defaultdict[Node, list[Commit]] = defaultdict(list)

        def receive(core: ServerCore, sender: Node, message: Message) -> list[Effect]:
            effects = RECEIVE(core, sender, message)
            self._commits[core._node] += [e for e in effects if isinstance(e, Commit)]
            return effects

        monkeypatch.setattr(ServerCore, "receive", receive)

    def share(self, sender: Node, receiver: Node) -> float:
        """In how many of a server's quorums a node was."""
        gradients = sender.role is Role.WORKER
        quorums = [e.gradients if gradients else e.updates for e in self._commits[receiver]]
        # Who adopts has used no gradients.
        quorums = [quorum for quorum in quorums if quorum]
        return sum(sender in quorum for quorum in quorums) / len(quorums)


@pytest.mark.parametrize("name", CASES)
def test_an_average_of_everyone_waits(name: str) -> None:
    result = simulate(averaging(CASES[name].changes))
    assert duration_s(result) > SUFFERS * undisturbed_s(resilient=False)


@pytest.mark.parametrize("name", CASES)
def test_quorums_go_on_without_whom_they_do_not_hear(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, allowed_s = CASES[name], SURVIVES * undisturbed_s(resilient=True)
    quorums = Quorums(monkeypatch)
    assert duration_s(simulate(guanyu(case.changes))) < allowed_s
    for receiver in SERVERS:
        share = quorums.share(case.node, receiver)
        assert (share < 0.2) if receiver in case.missed_by else (share > 0.4)
