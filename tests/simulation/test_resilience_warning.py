"""Whole runs of a problem of known noise: the theory's condition holds or not, and it is told."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from guanyu_mpi import assembly
from guanyu_mpi.cluster import OBSERVER, Node, Role
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.journal import observer_log
from guanyu_mpi.messages import Message, Report, Vector
from guanyu_mpi.metrics import Event, read_events
from guanyu_mpi.protocol.effects import Aggregated
from guanyu_mpi.simulation import simulate

# The optimum is 20 dimensions away, ||gradient|| about 2 at first and 0.2 at the end.
LOUD, QUIET = 3.0, 1e-3
HUGE = float(np.finfo(np.float32).max)
LIAR = Node(Role.SERVER, 5)


def config(sigma: float, **sections: dict[str, object]) -> Config:
    return parse_config(
        {
            "run": {"name": "noise", "steps": 40, "seed": 3},
            "cluster": {"servers": 6, "byzantine_servers": 1}
            | {"workers": 6, "byzantine_workers": 1},
            "model": {"name": "quadratic", "options": {"dimension": 20, "sigma": sigma}},
            "train": {"learning_rate": 0.2},
            "observe": {"every": 4},
            **sections,
        }
    )


def observed(of: Config, run_dir: Path) -> list[Event]:
    assert not simulate(of, run_dir).unfinished(of)
    return read_events(observer_log(run_dir))


def warnings(events: list[Event]) -> list[str]:
    return [str(event["warning"]) for event in events if "warning" in event]


def margins(events: list[Event]) -> list[float]:
    found = [event.get("margin") for event in events]
    return [margin for margin in found if isinstance(margin, float)]


def test_too_much_noise_is_warned_of_once_and_from_its_first_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = observed(config(LOUD), tmp_path)
    (warning,) = warnings(events)
    assert warning.startswith(
        "multi-krum's guarantee needs ||gradient|| > eta sqrt(d) sigma, eta = 4.24; measured 0"
    )
    assert warning.endswith(" of it since step 0")
    assert max(margins(events)) < 1
    assert capsys.readouterr().err == f"warning: {warning}\n"


def test_little_noise_is_not_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = observed(config(QUIET), tmp_path)
    assert len(margins(events)) == 10
    assert min(margins(events)) > 1
    assert warnings(events) == []
    assert capsys.readouterr().err == ""


def test_the_warning_begins_where_the_gradient_has_become_too_short(tmp_path: Path) -> None:
    events = observed(config(0.03), tmp_path)
    (warning,) = warnings(events)
    since = int(warning.rsplit(" ", 1)[1])
    measured = [(event["measured_step"], event["margin"]) for event in events if "margin" in event]
    assert since > 0
    assert all(margin > 1 for step, margin in measured if step == since - 4)
    assert all(margin < 1 for step, margin in measured if since <= step <= since + 8)


@pytest.mark.parametrize(("sigma", "num_warnings"), [(LOUD, 1), (QUIET, 0)])
@pytest.mark.parametrize("number", [-HUGE, 0.0, HUGE])
def test_absurd_reports_of_a_byzantine_server_neither_cause_nor_hide_it(
    sigma: float, num_warnings: int, number: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, lies = assembly.estimator, []

    def estimator(config: Config, node: Node) -> Callable[[Aggregated], Vector | None]:
        def lie(aggregated: Aggregated) -> Vector:
            lies.append(aggregated.step)
            return np.full(10, number, np.float32)

        return lie if node == LIAR else honest(config, node)

    monkeypatch.setattr(assembly, "estimator", estimator)
    assert len(warnings(observed(config(sigma), tmp_path))) == num_warnings
    assert lies


@pytest.mark.parametrize("servers", ["mute", "nan", "reverse"])
def test_attackers_are_seen_as_outliers_and_their_servers_are_not_needed(
    servers: str, tmp_path: Path
) -> None:
    attack = {
        "workers": {"name": "reverse", "count": 1},
        "servers": {"name": servers, "count": 1},
    }
    last = observed(config(QUIET, attack=attack), tmp_path)[-1]
    selected, rank = last["selected"], last["rank"]
    assert isinstance(selected, dict)
    assert isinstance(rank, dict)
    assert last["measured_step"] == 36
    assert last["margin"] > 1
    assert selected["worker-05"] == 0
    assert rank["worker-05"] == max(rank.values())


def test_the_honest_core_inside_an_attacker_does_not_report() -> None:
    attack = {"servers": {"name": "mute", "count": 1}}
    said: set[Node] = set()
    simulate(config(QUIET, attack=attack), on_send=lambda sender, *_: said.add(sender))
    assert LIAR not in said
    assert Node(Role.SERVER, 4) in said


def test_a_trusted_server_measures_alone(tmp_path: Path) -> None:
    alone = {"servers": 1, "workers": 6, "byzantine_workers": 1}
    events = observed(config(LOUD, cluster=alone), tmp_path)
    assert len(warnings(events)) == 1


@pytest.mark.parametrize("aggregation", [{"gradients": "trimmed-mean"}, {"pre": ["nnm"]}], ids=str)
def test_a_rule_of_which_no_bound_is_known_is_measured_and_not_judged(
    aggregation: dict[str, object], tmp_path: Path
) -> None:
    events = observed(config(LOUD, aggregation=aggregation), tmp_path)
    assert warnings(events) == []
    assert events[-1]["margin"] is None
    assert events[-1]["alignment"] is not None


def test_where_nobody_can_be_byzantine_nothing_was_promised(tmp_path: Path) -> None:
    nobody = {"servers": 3, "workers": 3}
    events = observed(config(LOUD, cluster=nobody), tmp_path)
    assert warnings(events) == []
    assert events[-1]["margin"] is None


def test_reports_are_sent_once_and_at_the_observed_steps_only() -> None:
    """Every 16th of 40; a server that adopts a step has combined no gradients for it."""
    sent: list[tuple[Node, int]] = []

    def note(sender: Node, receivers: Sequence[Node], message: Message) -> None:
        if isinstance(message, Report):
            assert list(receivers) == [OBSERVER]
            sent.append((sender, message.step))

    simulate(config(QUIET, observe={"every": 16}), on_send=note)
    assert {step for _, step in sent} == {0, 16, 32}
    assert len(set(sent)) == len(sent)
    assert len(sent) > 6
