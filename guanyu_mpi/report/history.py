"""What the observer saw of a run, over all its lives."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from guanyu_mpi.metrics import Event, Value, figure, is_figure

# A damaged log can say anything; no step of ours is as large.
STEP_MAX = 10**18


@dataclass(frozen=True, slots=True)
class Look:
    """One observation; NaN is what it does not have.

    `selected` are shares by name of worker, `far` by name of server.
    """

    step: int
    time_s: float
    accuracy: float
    loss: float
    drift: float
    alignment: float
    margin: float
    deviation: float
    selected: Mapping[str, float]
    far: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """Observations in the order of their steps, and where the run was continued.

    Time is what all lives have taken together. What was observed of steps that a later life has
    done again is left out. `warning` is the last one.
    """

    looks: tuple[Look, ...]
    restarts: tuple[Look, ...]
    warning: str


def history(events: Iterable[Event]) -> History:
    """The history that a log tells.

    A life is told by its number; where that is missing, by a step or a clock that goes back.
    """
    looks: list[Look] = []
    restarts: list[Look] = []
    warning, before_s, life_s, life = "", 0.0, 0.0, None
    for event in events:
        look = _look(event)
        if look is None:
            continue
        told = event.get("warning")
        warning = told if isinstance(told, str) else warning
        again = look.step <= looks[-1].step or look.time_s < life_s if looks else False
        if again or (looks and event.get("life") != life):
            before_s += life_s
            looks = [earlier for earlier in looks if earlier.step < look.step]
            restarts = [earlier for earlier in restarts if earlier.step < look.step]
            restarts.append(replace(look, time_s=before_s))
        life, life_s = event.get("life"), look.time_s
        looks.append(replace(look, time_s=before_s + life_s))
    return History(tuple(looks), tuple(restarts), warning)


def _look(event: Event) -> Look | None:
    step, time_s = event.get("step"), event.get("time_s")
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < STEP_MAX:
        return None
    if not is_figure(time_s) or time_s < 0:
        return None
    return Look(
        step=step,
        time_s=float(time_s),
        accuracy=_figure(event, "accuracy"),
        loss=_figure(event, "loss"),
        drift=_figure(event, "drift"),
        alignment=_figure(event, "drift_alignment"),
        margin=_figure(event, "margin"),
        deviation=_figure(event, "deviation"),
        selected=_shares(event.get("selected")),
        far=_shares(event.get("far")),
    )


def _shares(told: Value) -> dict[str, float]:
    """Shares by name of node; what is none is left out."""
    named = told.items() if isinstance(told, dict) else ()
    return {name: share for name, share in named if is_figure(share) and 0 <= share <= 1}


def _figure(event: Event, key: str) -> float:
    found = figure(event, key)
    return math.nan if found is None else found
