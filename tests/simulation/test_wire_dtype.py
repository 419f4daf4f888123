"""Runs whose workers are sent, and send, rounded vectors."""

from pathlib import Path

import numpy as np
import pytest
from replay_runs import config, replay, run

from guanyu_mpi.checkpoint import path_of, read
from guanyu_mpi.messages import Vector
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.simulation import Simulated, simulate
from guanyu_mpi.transport.wire import Element, travelled

NARROW = {"wire_dtype": "bfloat16"}


def saved(run_dir: Path, step: int) -> Vector:
    return read(path_of(checkpoint_dir(run_dir), 0, step)).params


def test_a_narrowed_run_is_repeatable_and_not_that_of_float32() -> None:
    first, second = (simulate(config(transport=NARROW)).trace_hash for _ in range(2))
    assert first == second
    assert first != simulate(config()).trace_hash


def test_an_attacked_narrowed_run_is_replayed_bit_for_bit(tmp_path: Path) -> None:
    run(config(transport=NARROW), tmp_path)
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("equal to its checkpoint") == 6


def test_lives_with_another_element_type_are_replayed(tmp_path: Path) -> None:
    run(config(transport=NARROW), tmp_path, killed_at=20)
    run(config(), tmp_path)
    result = replay(tmp_path)
    assert result.exit_code == 0, result.output


def test_what_is_saved_is_not_rounded(tmp_path: Path) -> None:
    run(config(transport=NARROW), tmp_path)
    params = saved(tmp_path, 40)
    assert np.mean(params == travelled(params, Element.BFLOAT16)) < 0.5


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_steps_smaller_than_what_is_rounded_are_not_lost(dtype: str) -> None:
    """Were Updates rounded, parameters would stay where steps are below 2^-9 of them: half-way."""
    assert loss(dtype) < 0.1 * loss(dtype, steps=1)


def loss(dtype: str, steps: int = 700) -> float:
    result: Simulated = simulate(
        config(
            run={"name": "small-steps", "steps": steps, "seed": 2},
            cluster={"servers": 3, "workers": 3},
            model={"name": "quadratic", "options": {"dimension": 20, "mu": 1.0, "sigma": 0.0}},
            train={"learning_rate": 2e-3},
            attack={},
            observe={"every": steps},
            checkpoint={"every": steps},
            simulation={},
            transport={"wire_dtype": dtype},
        )
    )
    assert result.observation is not None
    return result.observation.loss
