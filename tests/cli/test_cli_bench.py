"""`guanyu bench rules`: what it is asked for, and what it prints and writes."""

import doctest
import json
from importlib import import_module
from itertools import pairwise

import pytest
from cli_runs import measured, refused

from guanyu_mpi.aggregation import RULES
from guanyu_mpi.bench.plan import plan_from_json, plan_to_json, planned
from guanyu_mpi.bench.report import Contender, from_json
from guanyu_mpi.errors import ConfigError


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What the command prints, and the JSON that it writes."""
    return measured(tmp_path_factory.mktemp("bench"), "rules")


def test_every_rule_is_in_the_json_at_once_and_after_the_last_arrival(
    quick: tuple[str, str],
) -> None:
    timings = json.loads(quick[1])["timings"]
    for contender in ("one-shot", "last arrival"):
        assert {t["name"] for t in timings if t["contender"] == contender} == set(RULES)
    assert all(second > 0 for timing in timings for second in timing["seconds"])


def test_numpys_kernels_are_timed_beside_others_and_not_beside_themselves(
    quick: tuple[str, str],
) -> None:
    found = from_json(quick[1])
    beside = {t.name for t in found.timings if t.contender is Contender.FALLBACK}
    assert beside == (set() if found.kernels == "numpy" else set(RULES))


def test_what_is_printed_is_markdown_of_100_columns(quick: tuple[str, str]) -> None:
    printed = quick[0].splitlines()
    assert max(map(len, printed)) <= 100
    assert {f"## d = 2,000, n = {n}" for n in (5, 13)} <= set(printed)
    for above, line in pairwise(printed):
        if line.startswith("|--"):
            assert above.count("|") == line.count("|")
    for name in RULES:
        assert sum(line.startswith(f"| {name} ") for line in printed) == 2


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--rule", "krumm", "did you mean 'krum'?"),
        ("--senders", "0", "--senders 0: needs at least 1"),
        ("--dimension", "-1", "--dimension -1: needs at least 1"),
        ("--json", "nowhere/rules.json", "there is no folder nowhere"),
    ],
)
def test_wrong_input_is_one_line_before_anything_is_measured(
    option: str, value: str, words: str
) -> None:
    assert words in refused("bench", "rules", "--quick", option, value)


def test_all_that_is_wrong_with_a_plan_is_said_together() -> None:
    with pytest.raises(ConfigError) as caught:
        planned(["lunch"], [0], [0], quick=True)
    assert len(caught.value.faults) == 3


def test_a_plan_survives_its_way_to_the_process_that_measures() -> None:
    plan = planned(["median", "krum"], [13, 5], [10], quick=False)
    assert plan_from_json(plan_to_json(plan)) == plan
    assert plan.senders == (5, 13)


@pytest.mark.parametrize(
    "module", ["baselines", "machine", "markdown", "plan", "step_plan", "target"]
)
def test_examples_in_docstrings_are_true(module: str) -> None:
    found = doctest.testmod(import_module(f"guanyu_mpi.bench.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
