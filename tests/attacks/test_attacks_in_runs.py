"""Attackers in whole simulated runs: that they speak in time, stop nobody, and can be replayed."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from attack_harness import server, server_config, worker, worker_config
from click.testing import CliRunner

from guanyu_mpi.cli import main
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.journal import rank_log
from guanyu_mpi.messages import Gradient, Message, Params
from guanyu_mpi.metrics import read_events
from guanyu_mpi.run_dir import prepare_run_dir
from guanyu_mpi.simulation import simulate


def attacked(**changes: Mapping[str, object]) -> Config:
    """Six servers and six workers, of each one that knows what the others say."""
    return parse_config(
        {
            "run": {"name": "spied", "steps": 20},
            "cluster": {"servers": 6, "byzantine_servers": 1}
            | {"workers": 6, "byzantine_workers": 1},
            "model": {"name": "quadratic"},
            "train": {"learning_rate": 0.1},
            "attack": {
                "workers": {"name": "alie", "count": 1},
                "servers": {"name": "drift", "count": 1},
            },
            "observe": {"every": 1},
            **changes,
        }
    )


def test_omniscient_attackers_are_in_the_quorums_that_they_are_to_spoil(tmp_path: Path) -> None:
    """Of the quorums of 5 of 6 in 5/6 by chance; who waits for all five others, in 0.7 at most."""
    config = attacked()
    prepare_run_dir(tmp_path, config, fresh=False)
    simulate(config, tmp_path)
    events = [
        event
        for rank in range(5)
        for event in read_events(rank_log(tmp_path, rank))
        if event["event"] == "commit"
    ]
    assert len(events) == 5 * 20
    for kind, attacker in (("gradients", "worker-05"), ("updates", "server-05")):
        present = sum(attacker in str(event[kind]) for event in events)
        assert present > 0.72 * len(events)


def test_attackers_are_told_by_honest_nodes_and_by_nobody_else() -> None:
    told: set[tuple[Node, type[Message], Node]] = set()

    def on_send(sender: Node, receivers: Sequence[Node], message: Message) -> None:
        told.update((sender, type(message), to) for to in receivers if to.role is sender.role)

    simulate(attacked(), on_send=on_send)
    aside = {(sender, kind, to) for sender, kind, to in told if kind in (Params, Gradient)}
    assert aside == {(worker(k), Gradient, worker(5)) for k in range(5)} | {
        (server(k), Params, server(5)) for k in range(5)
    }


def test_nobody_is_told_anything_aside_where_no_attack_needs_it() -> None:
    config = attacked(attack={"workers": {"name": "reverse", "count": 1}})
    told: list[Node] = []

    def on_send(sender: Node, receivers: Sequence[Node], message: Message) -> None:
        told.extend(to for to in receivers if isinstance(message, Gradient))

    assert simulate(config, on_send=on_send).unfinished(config) == []
    assert {to.role for to in told} == {Role.SERVER}


def test_attackers_that_wait_keep_nobody_waiting() -> None:
    """Nodes are slow and cut off; of the honest ones all finish."""
    config = attacked(
        simulation={
            "slow": {"server-1": 300.0, "worker-2": 60.0, "worker-5": 20.0},
            "partitions": [
                {"nodes": ["server-2", "worker-0", "server-5"], "start_s": 0.05, "end_s": 0.3}
            ],
        }
    )
    assert simulate(config).unfinished(config) == []


def test_an_average_that_waits_for_all_waits_for_no_attacker_in_vain() -> None:
    """The quorum is everybody: the attackers speak last, and do speak."""
    config = worker_config("average", "alie", sigma=0.1)
    assert simulate(config).unfinished(config) == []


def replay(config: Config, run_dir: Path) -> tuple[int, str]:
    prepare_run_dir(run_dir, config, fresh=False)
    simulate(config, run_dir)
    result = CliRunner().invoke(main, ["replay", str(run_dir)])
    return result.exit_code, result.output


@pytest.mark.parametrize("name", ["bit-flip", "random", "sign-flip"])
def test_an_attack_on_ones_own_vector_is_replayed(name: str, tmp_path: Path) -> None:
    status, output = replay(server_config("median", name, sigma=0.1), tmp_path)
    assert status == 0, output


@pytest.mark.parametrize("name", ["alie", "freeze"])
def test_an_attack_that_follows_from_no_trace_is_not_replayed(name: str, tmp_path: Path) -> None:
    status, output = replay(server_config("median", name, sigma=0.1), tmp_path)
    assert status == 1
    assert f"server-05 attacks by {name!r}: its lies follow from no trace" in output


@cache
def loss_on_digits(rule: str, attackers: int) -> float:
    """After 30 steps of a network on handwritten digits."""
    config = parse_config(
        {
            "run": {"name": "digits", "steps": 30},
            "cluster": {"servers": 1, "workers": 9}
            | {"byzantine_workers": 0 if rule == "average" else 2},
            "model": {"name": "mlp"},
            "data": {"name": "mnist-small"},
            "train": {"learning_rate": 0.3, "batch_size": 16},
            "aggregation": {"gradients": rule},
            "attack": {"workers": {"name": "label-flip", "count": attackers}},
            "observe": {"every": 30},
        }
    )
    seen = simulate(config).observation
    assert seen is not None
    assert seen.step == 30
    return seen.loss


def test_flipped_labels_spoil_the_average() -> None:
    assert loss_on_digits("average", 2) > 1.25 * loss_on_digits("average", 0)


def test_flipped_labels_spoil_multi_krum_less() -> None:
    assert loss_on_digits("multi-krum", 2) < 0.9 * loss_on_digits("average", 2)
