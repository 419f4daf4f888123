"""What people are told about a directory of checkpoints is what a restart will do."""

from dataclasses import replace
from pathlib import Path

import pytest
from checkpoint_runs import (
    CLUSTER,
    DIMENSION,
    EVERYONE,
    IDENTITY,
    LARGER,
    damage,
    median,
    params_of,
    save,
    store_of,
)

from guanyu_mpi.checkpoint import Store, path_of, plan, restore, survey
from guanyu_mpi.errors import CheckpointError


def test_every_file_is_valid_or_has_a_reason(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    damage(tmp_path, 3, 20)
    damage(tmp_path, 4, 10)
    seen = survey(tmp_path, CLUSTER, median, DIMENSION, IDENTITY)
    assert [(found.server, found.step) for found in seen.findings] == [
        (server, step) for server in EVERYONE for step in (20, 10)
    ]
    reasons = {(found.server, found.step): found.reason for found in seen.findings}
    assert {at for at, reason in reasons.items() if reason} == {(3, 20), (4, 10)}
    for found in seen.findings:
        assert found.path == path_of(tmp_path, found.server, found.step)
        assert (found.header is None) == (found.reason is not None)
    assert seen.plan.step == 20
    assert seen.plan.why == "step 20 is held by servers 0, 1, 2, 4, 5: 5 of 6, 5 needed"


def test_a_start_at_0_says_why(tmp_path: Path) -> None:
    assert survey(tmp_path, CLUSTER, median).plan.step == 0
    assert survey(tmp_path, CLUSTER, median).plan.why == "there are no checkpoints"
    save(tmp_path, [0, 1], [10])
    seen = survey(tmp_path, CLUSTER, median)
    assert (seen.plan.step, len(seen.findings)) == (0, 2)
    assert "first checkpoint" in seen.plan.why


def test_a_refusal_is_a_restarts_refusal(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    for server in range(4):
        damage(tmp_path, server, 10)
        damage(tmp_path, server, 20)
    seen = survey(tmp_path, CLUSTER, median, DIMENSION, IDENTITY)
    assert seen.plan.step is None
    with pytest.raises(CheckpointError) as caught:
        restore(tmp_path, 0, CLUSTER, dimension=DIMENSION, identity=IDENTITY, contraction=median)
    assert seen.plan.why == str(caught.value)


def test_older_files_of_another_run_do_not_change_what_a_restart_does(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10], identity="cnnet/seed-2")
    save(tmp_path, EVERYONE, [20])
    seen = survey(tmp_path, CLUSTER, median, DIMENSION, IDENTITY)
    assert seen.plan.step == 20
    assert sum("another run" in (found.reason or "") for found in seen.findings) == 6


def test_a_directory_can_be_inspected_without_knowing_its_model_or_run(tmp_path: Path) -> None:
    save(tmp_path, range(9), [10], LARGER, identity="whatever")
    seen = survey(tmp_path, CLUSTER, median)
    assert seen.plan.step == 10
    assert {found.header.identity for found in seen.findings if found.header} == {"whatever"}


def test_a_valid_file_that_is_far_from_the_others_is_told(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10])
    store_of(tmp_path, 4).write(10, params_of(4, 10) + 100)
    seen = survey(tmp_path, CLUSTER, median, DIMENSION, IDENTITY)
    (odd,) = [found for found in seen.findings if found.reason]
    assert (odd.server, odd.header is not None) == (4, True)
    assert str(odd.reason).startswith("differs from the others': ")
    assert (seen.plan.own, seen.plan.median) == ((0, 1, 2, 3, 5), (4,))


def test_the_plan_alone_says_the_same(tmp_path: Path) -> None:
    save(tmp_path, EVERYONE, [10, 20])
    damage(tmp_path, 3, 20)
    seen = survey(tmp_path, CLUSTER, median, DIMENSION, IDENTITY)
    alone = plan(tmp_path, CLUSTER, median, DIMENSION, IDENTITY)
    assert replace(alone, faults=()) == replace(seen.plan, faults=())
    assert [str(fault) for fault in alone.faults] == [str(fault) for fault in seen.plan.faults]
    assert len(alone.faults) == 1


def test_files_of_several_lengths_are_not_compared(tmp_path: Path) -> None:
    """Where nobody knows the model, a liar may have made up another one."""
    save(tmp_path, EVERYONE, [10])
    short = Store(tmp_path, 4, CLUSTER, dimension=3, identity=IDENTITY, keep=3)
    short.write(10, params_of(4, 10)[:3])
    seen = survey(tmp_path, CLUSTER, median)
    assert seen.plan.step is None
    assert seen.plan.why == f"{tmp_path}: files of step 10 differ in length"
