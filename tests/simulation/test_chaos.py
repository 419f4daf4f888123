"""Arbitrary schedules with faults; benchmarks/schedules/campaign.py runs the same by the 100,000.

A failure prints the command that repeats it and keeps it.
"""

from collections import Counter
from pathlib import Path

import pytest
from chaos_action import Action, Verb, action_in
from chaos_plan import plan_in, plan_of
from chaos_run import repeat, replay, run, shortened
from planted_bugs import BUGS, RARE, Bug, caught

SCHEDULES = Path(__file__).parent / "schedules"
REPEAT = "python benchmarks/schedules/campaign.py --only {}"
KEPT_FOR = tuple(bug for bug in BUGS + RARE if (SCHEDULES / f"{bug.slug}.toml").exists())
NUM_SEEDS, NUM_BATCHES = 2000, 10
NUM_SELDOM = 60
# Twice what the most hidden bug needs.
SEEDS_PER_BUG = 400

# What every few hundred schedules see; rarer things are demanded of the campaign.
COMMON = (
    *(verb.value for verb in Verb),
    "checkpoints damaged",
    "gradients: a Byzantine vote counted",
    "messages replaced",
    "rejected: non-finite",
    "steps skipped by a worker",
    "updates adopted",
    "updates: a later vote stood in",
)


@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_no_schedule_breaks_a_law_or_leaves_an_honest_node_behind(batch: int) -> None:
    size = NUM_SEEDS // NUM_BATCHES
    seeds = range(batch * size, (batch + 1) * size)
    counts: Counter[str] = Counter()
    failures = {}
    for seed in seeds:
        verdict = run(seed)
        counts += verdict.counts
        if verdict.failure:
            failures[REPEAT.format(seed)] = verdict.failure
    assert not failures
    assert [name for name in COMMON if not counts[name]] == []


@pytest.mark.parametrize("every", [2, 3])
def test_nor_does_any_where_servers_contract_seldom(every: int) -> None:
    counts: Counter[str] = Counter()
    failures = {}
    for seed in range(NUM_SELDOM):
        verdict = run(seed, contract_every=every)
        counts += verdict.counts
        if verdict.failure:
            failures[seed] = verdict.failure
    assert not failures
    seen = (*COMMON, "steps alone", "rejected: step")
    assert [name for name in seen if not counts[name]] == []


@pytest.mark.parametrize("path", sorted(SCHEDULES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_schedule_that_is_kept_breaks_no_law(path: Path) -> None:
    verdict = replay(path)
    assert verdict.failure == ""
    assert verdict.counts[Verb.DELIVER.value] > 0


@pytest.mark.parametrize("bug", KEPT_FOR, ids=lambda bug: bug.name)
def test_a_schedule_that_is_kept_for_a_bug_still_shows_it(bug: Bug) -> None:
    with bug.planted():
        assert replay(SCHEDULES / f"{bug.slug}.toml").failure


def test_the_bugs_that_are_hard_to_find_have_a_schedule_each() -> None:
    assert len(KEPT_FOR) >= 6
    assert set(RARE) <= set(KEPT_FOR)


def test_a_seed_gives_the_same_schedule_again() -> None:
    one, again, other = run(5), run(5), run(6)
    assert one.actions == again.actions
    assert one.counts == again.counts
    assert one.actions != other.actions


@pytest.mark.parametrize("seed", range(12))
def test_a_schedule_that_is_written_down_happens_again(seed: int, tmp_path: Path) -> None:
    drawn = run(seed)
    path = tmp_path / "schedule.toml"
    path.write_text(drawn.scenario, encoding="utf-8")
    replayed = replay(path)
    # As text: a lie may be NaN, which equals nothing.
    assert [*map(str, replayed.actions[: len(drawn.actions)])] == [*map(str, drawn.actions)]
    assert replayed.plan == drawn.plan
    assert replayed.failure == drawn.failure == ""


@pytest.mark.parametrize("seed", range(40))
def test_a_plan_keeps_to_what_is_tolerated(seed: int) -> None:
    plan = plan_of(seed)
    assert plan.cluster.faults() == []
    for role in {node.role for node in plan.attacks}:
        alike = sum(node.role is role for node in plan.attacks)
        assert alike <= plan.cluster.byzantine(role)
    assert plan_in(plan.table()) == plan


def test_an_action_is_read_as_it_is_written() -> None:
    line = "say server-05 worker-00 2 3 -1e+38"
    assert str(action_in(line)) == line
    assert action_in("calm") == Action(Verb.CALM)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    found = caught(bug, range(SEEDS_PER_BUG))
    assert found.failure


def test_a_bug_is_planted_no_longer_than_it_is_wanted() -> None:
    first = next(bug for bug in BUGS if bug.name == "a quorum of q - 1")
    assert caught(first, range(3)).failure
    assert not run(0).failure


def test_a_failing_schedule_is_shortened_and_still_fails() -> None:
    bug = next(bug for bug in BUGS if bug.name == "who adopts does not vote")
    found = caught(bug, range(100))
    with bug.planted():
        long = run(found.schedules - 1)
        short = shortened(long)
        assert short.failure
        assert len(short.actions) < len(long.actions)
        assert repeat(short.plan, short.actions).failure == short.failure
    assert not repeat(short.plan, short.actions).failure
