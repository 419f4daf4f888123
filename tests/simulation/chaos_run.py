"""One schedule from its plan to its verdict; a failing one is written down and repeated."""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import tomli_w
from chaos_action import Action, Verb, action_in
from chaos_deeds import perform
from chaos_laws import Laws
from chaos_plan import Plan, plan_in, plan_of, seldom
from chaos_quorums import BrokenError
from chaos_scheduler import Scheduler, arrival
from chaos_world import World

# More than any schedule has: about 1,500 at most, and twice as many with two restarts.
EVENTS_MAX = 20_000


@dataclass(slots=True)
class Verdict:
    """What happened in a schedule; `failure` is empty if all laws held."""

    plan: Plan
    failure: str = ""
    actions: list[Action] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    laws: Laws | None = None

    @property
    def scenario(self) -> str:
        """The schedule as a file that says all that happened."""
        lines = "".join(f"{action}\n" for action in self.actions)
        return tomli_w.dumps({**self.plan.table(), "schedule": lines}, multiline_strings=True)


def run(seed: int, contract_every: int = 1) -> Verdict:
    """The schedule of a seed: faults at first, which then stop; in the end all have finished."""
    plan = plan_of(seed)
    if contract_every > 1:
        plan = seldom(plan, contract_every)
    return _judged(plan, lambda world: _drawn(world, seed))


def replay(path: Path) -> Verdict:
    """A schedule that was written down; what is impossible by now is left out."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    actions = [action_in(line) for line in str(table.pop("schedule")).splitlines()]
    return repeat(plan_in(table), actions)


def repeat(plan: Plan, actions: Iterable[Action]) -> Verdict:
    """These actions one after another; then the faults stop, and all is delivered in order."""
    return _judged(plan, lambda world: chain(actions, _in_order(world)))


def shortened(verdict: Verdict) -> Verdict:
    """A failing schedule without what is not needed for it to fail, by halves and ever less."""
    best = repeat(verdict.plan, verdict.actions)
    if not best.failure:
        return verdict
    size = len(best.actions) // 2
    while size:
        start = 0
        while start < len(best.actions):
            fewer = best.actions[:start] + best.actions[start + size :]
            tried = repeat(verdict.plan, fewer)
            if _alike(tried, verdict) and len(tried.actions) < len(best.actions):
                best = tried
            else:
                start += size
        size //= 2
    return best


def _alike(one: Verdict, other: Verdict) -> bool:
    """Whether they fail in the same way, by the kind of error."""
    return bool(one.failure) and one.failure.split(":")[0] == other.failure.split(":")[0]


def _judged(plan: Plan, script: Callable[[World], Iterable[Action | None]]) -> Verdict:
    verdict = Verdict(plan)
    try:
        world = World(plan, verdict.counts)
        verdict.laws = world.laws
        for action in script(world):
            _perform(world, action, verdict.actions)
        world.end()
        if world.laws.unfinished:
            verdict.failure = f"left behind: {', '.join(world.laws.unfinished)}"
    # Whatever goes wrong in the code under test is a failure of this schedule.
    except Exception as error:
        verdict.failure = f"{type(error).__name__}: {error}"
    return verdict


def _perform(world: World, action: Action | None, done: list[Action]) -> None:
    if len(done) > EVENTS_MAX:
        raise BrokenError(f"no end after {EVENTS_MAX} events")
    if action is None:
        return
    # Written down first: it may be the last.
    done.append(action)
    if not perform(world, action):
        done.pop()


def _drawn(world: World, seed: int) -> Iterator[Action | None]:
    scheduler = Scheduler(world, seed)
    for _ in range(world.plan.events):
        yield scheduler.fault()
        action = scheduler.delivery() or scheduler.relief()
        if action is None:
            break
        yield action
    yield Action(Verb.CALM)
    while (action := scheduler.delivery()) is not None:
        yield action


def _in_order(world: World) -> Iterator[Action]:
    if world.faulty:
        yield Action(Verb.CALM)
    while free := [link for link in world.links.pending if not link.closed]:
        yield arrival(free[0])
