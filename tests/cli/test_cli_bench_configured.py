"""`guanyu bench rules CONFIG` and `transport CONFIG`: what is taken from a configuration."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runs import measured, refused, write_config

from guanyu_mpi.aggregation import bind
from guanyu_mpi.bench import configured
from guanyu_mpi.bench.configured import configured_messages, configured_rule
from guanyu_mpi.bench.contest import Key, aggregators, contest
from guanyu_mpi.bench.plan import Binding, plan_from_json, plan_to_json
from guanyu_mpi.bench.report import Contender, from_json
from guanyu_mpi.bench.transport_report import plan_from_json as messages_from_json
from guanyu_mpi.bench.transport_report import plan_to_json as messages_to_json
from guanyu_mpi.config import load_config
from guanyu_mpi.transport.wire import Element

CHANGES: Mapping[str, Mapping[str, object]] = {
    "cluster": {"workers": 12, "byzantine_workers": 2, "worker_quorum": 9},
    "aggregation": {
        "gradients": "multi-krum",
        "gradients_options": {"m": 4},
        "pre": ["clipping"],
        "pre_options": {"clipping": {"tau": 3.0}},
    },
}
LARGE = Path(__file__).parents[2] / "configs" / "bench-1e8.toml"


def test_the_rule_of_a_configuration_is_bound_as_its_servers_bind_it(tmp_path: Path) -> None:
    plan = configured_rule(write_config(tmp_path, CHANGES), quick=True)
    assert (plan.rules, plan.senders, plan.dimensions) == (("multi-krum",), (9,), (20,))
    expected = bind(
        "multi-krum", n=9, f=2, m=4, pre=["clipping"], pre_options={"clipping": {"tau": 3.0}}
    )
    assert aggregators(plan_from_json(plan_to_json(plan)), 9) == {"multi-krum": expected}
    assert str(plan.binding) == "f = 2, m = 4, after clipping"


def test_byzfl_is_not_compared_with_a_rule_that_has_options_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("guanyu_mpi.bench.contest.byzfl_trial", lambda *_: lambda: print)
    usual = bind("multi-krum", n=9, f=2)
    vectors = np.ones((9, 20), np.float32)
    for aggregator, compared in ((usual, True), (replace(usual, options={"m": 4}), False)):
        trials = contest({"multi-krum": aggregator}, vectors, [])
        assert (Key("multi-krum", Contender.BYZFL) in trials) == compared


def test_rules_of_a_configuration_are_measured_and_nothing_else(tmp_path: Path) -> None:
    printed, json = measured(tmp_path, "rules", write_config(tmp_path, CHANGES))
    report = from_json(json)
    ours = {(t.name, t.n, t.d, t.f) for t in report.timings if t.contender is Contender.ONE_SHOT}
    assert ours == {("multi-krum", 9, 20, 2)}
    assert "- the rule is bound as configured: f = 2, m = 4, after clipping" in printed


@pytest.mark.parametrize(("wire", "size_bytes"), [("float32", 80), ("bfloat16", 40)])
def test_messages_of_a_configuration_have_its_size_on_the_wire(
    tmp_path: Path, wire: str, size_bytes: int
) -> None:
    path = write_config(tmp_path, {"transport": {"wire_dtype": wire}})
    plan = configured_messages(path, quick=True)
    assert messages_from_json(messages_to_json(plan)) == plan
    assert (plan.sizes, plan.element) == ((size_bytes,), Element[wire.upper()])


@pytest.mark.mpi
def test_narrowed_messages_are_measured(tmp_path: Path) -> None:
    path = write_config(tmp_path, {"transport": {"wire_dtype": "bfloat16"}})
    printed, _ = measured(tmp_path, "transport", path)
    assert "- vectors of bfloat16" in printed
    assert "| 40 " in printed


def test_the_large_configuration_fits_into_16_gb_and_no_less_than_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_config(LARGE).nodes.worker_quorum == 13
    monkeypatch.setattr(configured, "available_bytes", lambda: 16 * 10**9)
    assert configured_rule(LARGE, quick=False).binding == Binding(5)
    assert configured_messages(LARGE, quick=False).sizes == (400_000_000,)
    monkeypatch.setattr(configured, "available_bytes", lambda: 10**9)
    line = refused("bench", "rules", LARGE)
    assert "multi-krum of 13 gradients (cluster.worker_quorum) of 100,000,000 parameters" in line
    assert "needs 13.0 GB of memory, and 1.0 GB are free" in line
    assert "needs 4.0 GB of memory" in refused("bench", "transport", LARGE)


@pytest.mark.parametrize(
    "arguments",
    [("rules", "--rule", "krum"), ("rules", "--senders", "9"), ("transport", "--size", "4")],
)
def test_what_a_configuration_says_is_not_said_again(arguments: tuple[str, ...]) -> None:
    command, option, value = arguments
    line = refused("bench", command, LARGE, option, value)
    assert line.startswith(f"{option}: ") or f": {option}: " in line
    assert "says that" in line
