"""Who is timed on the same vectors (n, d): our rules, numpy's kernels, torch and byzfl."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from guanyu_mpi.aggregation import RULES, Aggregator, bind, bind_options
from guanyu_mpi.aggregation.kernels import NumpyKernels
from guanyu_mpi.bench.baselines import baseline
from guanyu_mpi.bench.peers import ITERATING, ITERATIONS, byzfl_trial, torch_trial
from guanyu_mpi.bench.plan import PEER_D_MAX, Plan
from guanyu_mpi.bench.report import Contender
from guanyu_mpi.bench.timing import Trial, called
from guanyu_mpi.messages import Vector

# Larger than the caches of one core, wherever it is.
BUFFER_BYTES = 1 << 28


class Key(NamedTuple):
    """Which of the timings on the same vectors."""

    name: str
    contender: Contender


def aggregators(plan: Plan, n: int) -> dict[str, Aggregator]:
    """The rules of a plan that can combine n vectors."""
    if plan.binding is None:
        return bound(plan.rules, n)
    (name,), chosen = plan.rules, plan.binding
    return {
        name: bind_options(
            name,
            chosen.options,
            n=n,
            f=chosen.f,
            pre=chosen.pre,
            pre_options=chosen.pre_options,
        )
    }


def bound(names: Iterable[str], n: int) -> dict[str, Aggregator]:
    """The rules that can combine n vectors, each for a quarter of them or as many as it can."""
    tolerated = {name: _tolerated(name, n) for name in names}
    return {name: _bound(name, n, f) for name, f in tolerated.items() if f is not None}


def contest(
    aggregators: Mapping[str, Aggregator], vectors: Vector, fallback: Iterable[str]
) -> dict[Key, Trial]:
    """A trial for everybody; `fallback` names the rules to be timed with numpy's kernels too."""
    trials = {Key("read", Contender.READ): _reading()}
    rows = list(vectors)
    for name, aggregator in aggregators.items():
        trials[Key(name, Contender.ONE_SHOT)] = _at_once(aggregator, vectors)
        trials[Key(name, Contender.LAST_ARRIVAL)] = _at_last(aggregator, rows)
    for name in fallback:
        plain = replace(aggregators[name], kernels=NumpyKernels())
        trials[Key(name, Contender.FALLBACK)] = _at_once(plain, vectors)
    return trials if vectors.shape[1] > PEER_D_MAX else trials | _peers(aggregators, vectors)


def _bound(name: str, n: int, f: int) -> Aggregator:
    if name in ITERATING:
        return bind(name, n=n, f=f, iterations=ITERATIONS)
    return bind(name, n=n, f=f)


def _tolerated(name: str, n: int) -> int | None:
    """How many Byzantine vectors of n a rule is bound to; None if n is too few for it."""
    return next((f for f in range(n // 4, -1, -1) if RULES[name].min_n(f) <= n), None)


def _reading() -> Trial:
    buffer = torch.from_numpy(np.ones(BUFFER_BYTES // 4, dtype=np.float32))
    return called(lambda: torch.sum(buffer))


def _at_once(aggregator: Aggregator, vectors: Vector) -> Trial:
    return called(lambda: aggregator(vectors))


def _at_last(aggregator: Aggregator, rows: list[Vector]) -> Trial:
    """What is left to do when the last vector arrives."""

    def prepared() -> Callable[[], object]:
        gathering = aggregator.gather()
        for row in rows[:-1]:
            gathering.add(row)

        def finish() -> Vector:
            gathering.add(rows[-1])
            return gathering.combine(rows)

        return finish

    return prepared


def _peers(aggregators: Mapping[str, Aggregator], vectors: Vector) -> dict[Key, Trial]:
    """Of torch what our rules are compared with, and of byzfl the rules it has."""
    trials = {
        Key(name, Contender.TORCH): torch_trial(name, vectors)
        for name in sorted({baseline(name) for name in aggregators})
    }
    for name, aggregator in aggregators.items():
        # Theirs have no other options, and nothing comes before them.
        usual = aggregator == _bound(name, aggregator.n, aggregator.f)
        trial = byzfl_trial(name, aggregator.f, vectors) if usual else None
        if trial is not None:
            trials[Key(name, Contender.BYZFL)] = trial
    return trials
