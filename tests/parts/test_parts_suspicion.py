"""What the logs of a run say against its ranks, and whom they do not accuse."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from parts_harness import CLUSTER, server, worker

from guanyu_mpi.cluster import OBSERVER, Node
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.episode import Stretch
from guanyu_mpi.journal import Journal, observer_log, rank_log
from guanyu_mpi.metrics import EventLog, Value
from guanyu_mpi.observer import Observation
from guanyu_mpi.simulation import simulate
from guanyu_mpi.standing import Standing, standings
from guanyu_mpi.suspicion import Sign, Suspicion, suspicions
from guanyu_mpi.transport.participant import Participant

NODES = [node for node in CLUSTER if node != OBSERVER]
QUORUMS = 40


class Logs:
    """The logs of a run, written by hand: of 40 steps, each with everyone in its quorums."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.logs = {node: EventLog(rank_log(run_dir, CLUSTER.rank(node))) for node in NODES}

    def start(self) -> None:
        for node in NODES:
            self.say(node, "started", 0.0, host=f"n{CLUSTER.rank(node):03d}")

    def say(self, node: Node, event: str, time_s: float, **fields: Value) -> None:
        self.logs[node].record(event=event, node=str(node), time_s=time_s, **fields)

    def train(self, without: Iterable[Node] = (), servers: Iterable[int] = range(6)) -> None:
        """Quorums, as some servers write them, and what everybody else writes meanwhile."""
        absent = set(without)
        for step in range(1, QUORUMS + 1):
            members = [str(node) for node in NODES if node not in absent]
            for index in servers:
                self.say(
                    server(index),
                    "commit",
                    float(step),
                    step=step,
                    gradients=[name for name in members if name.startswith("worker")],
                    updates=[name for name in members if name.startswith("server")],
                )

    def halt(self, nodes: Iterable[Node], outcome: str = "finished") -> None:
        for node in nodes:
            self.say(node, "halted", QUORUMS + 1.0, outcome=outcome)

    def reject(
        self, sender: Node, by: Iterable[Node], fault: str = "size", times: int = 4
    ) -> None:
        for node in by:
            self.say(node, "rejected", 1.0, sender=str(sender), fault=fault, times=times)

    def standings(self) -> dict[Node, Standing]:
        return {at.node: at for at in standings(CLUSTER, self.run_dir)}

    def suspicions(self) -> dict[Node, Suspicion]:
        found = suspicions(standings(CLUSTER, self.run_dir), CLUSTER)
        return {suspicion.node: suspicion for suspicion in found}


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    written = Logs(tmp_path)
    written.start()
    return written


def test_before_a_run_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert standings(CLUSTER, tmp_path) == []


def test_ranks_that_do_their_part_are_not_suspected(logs: Logs) -> None:
    logs.train()
    logs.halt(NODES)
    assert logs.suspicions() == {}
    attendance = logs.standings()[worker(2)].attendance
    assert attendance is not None
    assert (attendance.present, attendance.last_step, attendance.quorums) == (1.0, 40, 40)


def test_who_is_in_no_quorum_and_finishes_is_late(logs: Logs) -> None:
    logs.train(without=[worker(3), server(1)])
    logs.halt(NODES)
    found = logs.suspicions()
    assert {node: suspicion.sign for node, suspicion in found.items()} == {
        worker(3): Sign.LATE,
        server(1): Sign.LATE,
    }
    assert str(found[worker(3)]) == (
        "rank 9 (worker-03), node n009: in 0 % of the quorums, 83 % would be its part: "
        "slow, or sends to nobody: look at its host's load and its links"
    )


def test_who_is_in_no_quorum_and_still_writes_is_late(logs: Logs) -> None:
    logs.train(without=[worker(3)])
    logs.say(worker(3), "gradient", QUORUMS - 1.0, step=20, loss=1.0)
    assert {at.sign for at in logs.suspicions().values()} == {Sign.LATE}


def test_who_has_stopped_writing_and_voting_is_silent_since_its_last_quorum(logs: Logs) -> None:
    logs.train()
    logs.train(without=[worker(3)])
    logs.halt(node for node in NODES if node != worker(3))
    (found,) = logs.suspicions().values()
    assert str(found) == (
        "rank 9 (worker-03), node n009: in no quorum since step 40: "
        "dead, hung or cut off: see whether its process lives"
    )


def test_the_newest_life_counts(logs: Logs) -> None:
    logs.reject(worker(3), NODES)
    logs.train(without=[worker(3)])
    logs.start()
    logs.train()
    logs.halt(NODES)
    assert logs.suspicions() == {}


def test_a_few_servers_cannot_make_a_rank_late_or_present(logs: Logs) -> None:
    logs.train(without=[worker(3)], servers=[0])
    logs.train(without=[worker(2)], servers=range(1, 6))
    logs.halt(NODES)
    assert list(logs.suspicions()) == [worker(2)]


def test_too_few_servers_to_tell_tell_nothing(logs: Logs) -> None:
    logs.train(without=[worker(3)], servers=range(2))
    assert logs.standings()[worker(3)].attendance is None
    assert logs.suspicions() == {}


def test_malformed_frames_count_as_often_as_an_honest_receiver_has_counted_them(
    logs: Logs,
) -> None:
    logs.reject(worker(3), [server(0)], times=1 << 40)
    logs.reject(worker(3), [server(1), server(2)], times=8)
    logs.reject(worker(3), [server(1)], fault="magic", times=2)
    (found,) = logs.suspicions().values()
    assert found.sign is Sign.FAULTY
    assert str(found) == (
        "rank 9 (worker-03), node n009: at least 10 malformed frames: likely faulty: drain it"
    )


def test_what_one_byzantine_receiver_may_have_made_up_is_disputed(logs: Logs) -> None:
    logs.reject(worker(3), [server(0)], times=1024)
    (found,) = logs.suspicions().values()
    assert found.sign is Sign.DISPUTED
    assert "malformed frames, as server-00 alone claims" in str(found)
    assert logs.standings()[worker(3)].malformed.known == 0


def test_vectors_that_are_not_finite_name_their_sender(logs: Logs) -> None:
    logs.reject(worker(3), [server(0), server(1)], fault="non-finite", times=16)
    (found,) = logs.suspicions().values()
    assert (found.node, found.sign) == (worker(3), Sign.FAULTY)
    assert "at least 16 vectors with NaN or infinity" in str(found)


def test_nobody_is_accused_of_a_run_that_has_diverged(logs: Logs) -> None:
    for index in (1, 2, 3):
        logs.reject(worker(index), [server(0), server(1)], fault="non-finite", times=1)
    assert logs.standings()[worker(2)].non_finite.known == 1
    assert logs.suspicions() == {}


@pytest.mark.parametrize(
    ("stretch", "text"),
    [
        (
            Stretch(310, 400, 25, 24, 20),
            "96 % of its gradients rejected since step 310: likely faulty: drain it",
        ),
        (
            Stretch(310, 400, 25, 24, 20, lasting=False),
            "96 % of its gradients rejected until step 400, since step 310: likely faulty: "
            "drain it",
        ),
        (
            Stretch(310, 400, 25, 25, 3),
            "100 % of its gradients rejected since step 310: unlike the others: look at its data "
            "and its host",
        ),
    ],
)
def test_what_the_observer_has_written_of_a_worker_is_told(
    logs: Logs, stretch: Stretch, text: str
) -> None:
    journal = Journal(observer_log(logs.run_dir), OBSERVER, lambda: 0.0, every=1)
    nobody = Observation(390, 1.0, 0.5, None, 0.0, 0.0, None, (server(0),))
    journal.observed(nobody)
    assert logs.suspicions() == {}
    suspected = {worker(5): stretch}
    journal.observed(
        Observation(400, 1.0, 0.5, None, 0.0, 0.0, None, (server(0),), None, "", suspected)
    )
    (found,) = logs.suspicions().values()
    assert str(found) == f"rank 11 (worker-05), node n011: {text}"


def test_the_gravest_sign_decides_what_to_do(logs: Logs) -> None:
    logs.train(without=[worker(3)])
    logs.halt(NODES)
    logs.reject(worker(3), [server(0), server(1)])
    (found,) = logs.suspicions().values()
    assert [finding.sign for finding in found.findings] == [Sign.FAULTY, Sign.LATE]
    assert str(found).endswith("likely faulty: drain it")


@pytest.mark.parametrize(
    "event",
    [
        {"event": "rejected", "sender": ["worker-01"], "fault": {}, "times": "many"},
        {"event": "commit", "step": "1", "gradients": 7, "updates": [None], "time_s": None},
        {"event": ["started"], "host": 7},
        {"selected": {"worker-01": None}, "suspected_since": 3, "suspected_looks": {}},
        {name: {"worker-01": 1e300} for name in ("strayed", "suspected_since")},
    ],
)
def test_logs_that_say_nonsense_accuse_nobody(logs: Logs, event: dict[str, Value]) -> None:
    logs.train()
    logs.halt(NODES)
    for node in NODES:
        logs.logs[node].record(**event)
    EventLog(observer_log(logs.run_dir)).record(**event)
    assert logs.suspicions() == {}


def test_a_host_that_would_write_to_the_terminal_is_not_shown(logs: Logs) -> None:
    logs.say(worker(3), "started", 0.0, host="\x1b]0;owned\x07")
    assert logs.standings()[worker(3)].host == "unknown"


def config(seed: int, **sections: dict[str, object]) -> Config:
    return parse_config(
        {
            "run": {"name": "suspects", "steps": 90, "seed": seed},
            "cluster": {"servers": 6, "byzantine_servers": 1}
            | {"workers": 6, "byzantine_workers": 1},
            "model": {"name": "quadratic", "options": {"dimension": 20, "sigma": 0.1}},
            "train": {"learning_rate": 0.1},
            "observe": {"every": 3},
            "aggregation": {"gradients": "krum"},
            **sections,
        }
    )


def signs(of: Config, run_dir: Path) -> dict[Node, Sign]:
    simulate(of, run_dir)
    found = suspicions(standings(of.nodes, run_dir), of.nodes)
    return {suspicion.node: suspicion.sign for suspicion in found}


@pytest.mark.parametrize("seed", range(3))
def test_in_a_clean_run_nobody_is_accused(seed: int, tmp_path: Path) -> None:
    assert signs(config(seed), tmp_path) == {}


@pytest.mark.parametrize("attack", ["reverse", "gaussian", "nan"])
def test_attackers_are_named_and_nobody_else(attack: str, tmp_path: Path) -> None:
    attacked = {
        "workers": {"name": attack, "indices": [2]},
        "servers": {"name": attack, "indices": [4]},
    }
    found = signs(config(3, attack=attacked), tmp_path)
    assert found == {worker(2): Sign.FAULTY, server(4): Sign.FAULTY}


def test_slow_nodes_are_late_and_not_faulty(tmp_path: Path) -> None:
    slow = {"slow": {"server-2": 50.0, "worker-1": 50.0}}
    assert signs(config(3, simulation=slow), tmp_path) == {
        server(2): Sign.LATE,
        worker(1): Sign.LATE,
    }


def test_a_node_that_is_cut_off_is_silent_while_the_others_go_on(tmp_path: Path) -> None:
    def until_later(participants: dict[Node, Participant]) -> None:
        if participants[server(0)].step == 75:
            raise InterruptedError

    cut = {"nodes": ["worker-1"], "start_s": 0.3, "end_s": 1e6}
    of = config(3, simulation={"partitions": [cut]})
    with pytest.raises(InterruptedError):
        simulate(of, tmp_path, until_later)
    (found,) = suspicions(standings(of.nodes, tmp_path), of.nodes)
    assert (found.node, found.sign) == (worker(1), Sign.SILENT)


def test_a_trusted_server_names_its_attackers_alone(tmp_path: Path) -> None:
    cluster = {"servers": 1, "workers": 9, "byzantine_workers": 2}
    attacked = {"workers": {"name": "reverse", "count": 2}}
    found = signs(config(3, cluster=cluster, attack=attacked), tmp_path)
    assert found == {worker(7): Sign.FAULTY, worker(8): Sign.FAULTY}
