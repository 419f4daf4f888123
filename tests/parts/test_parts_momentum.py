"""Momentum at the workers: what is sent, when it is saved, and with what a life begins."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from parts_harness import server, vector, worker

from guanyu_mpi.checkpoint import Store
from guanyu_mpi.checkpoint.momentum import momentum_path, momentum_steps
from guanyu_mpi.config import Config, parse_config, run_identity
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.journal import Journal, rank_log
from guanyu_mpi.messages import Vector
from guanyu_mpi.metrics import read_events
from guanyu_mpi.models import ModelSpec
from guanyu_mpi.momentum import Momenta, averaged
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.saves import Saves

STEPS = 20
ME = worker(1)
RANK = 4
SPEC = ModelSpec("quadratic", 2, False, None, lambda: vector(0.5, 0.25))


def config_of(momentum: float = 0.75, contract_every: int = 1, **checkpoint: int) -> Config:
    sections: Mapping[str, Mapping[str, object]] = {
        "run": {"name": "tiny", "steps": STEPS},
        "cluster": {"servers": 3, "workers": 3},
        "model": {"name": "quadratic", "options": {"dimension": 2}},
        "train": {"learning_rate": 0.1, "momentum": momentum, "contract_every": contract_every},
        "checkpoint": {"every": 6, **checkpoint},
    }
    return parse_config(sections)


class Life:
    """One worker in one life of a run."""

    def __init__(self, run_dir: Path | None, config: Config | None = None) -> None:
        config = config or config_of()
        saves = Saves(config, SPEC, run_dir)
        self.momenta = Momenta(config, saves, 2, run_dir)
        path = rank_log(run_dir, RANK) if run_dir else None
        self.sent = self.momenta.sender(ME, Journal(path, ME, lambda: 0.0, 10))


def save_params(run_dir: Path, step: int) -> None:
    """All servers save a step, so that the next life begins there."""
    config, root = config_of(), checkpoint_dir(run_dir)
    for index in range(3):
        store = Store(
            root, index, config.nodes, dimension=2, identity=run_identity(config), keep=3
        )
        store.write(step, vector(1.0, 2.0))


def notes(run_dir: Path) -> list[tuple[object, object]]:
    """At which steps the worker began, and with the momentum since when."""
    events = read_events(rank_log(run_dir, RANK))
    return [(event["step"], event["since"]) for event in events if event["event"] == "momentum"]


def saved(run_dir: Path) -> list[int]:
    return list(momentum_steps(checkpoint_dir(run_dir), ME.index))


def test_an_average_is_new_and_changes_nothing() -> None:
    before, gradient = vector(8.0, 0.0), vector(0.0, 4.0)
    result = averaged(before, gradient, 0.75)
    assert (result.tolist(), result.dtype) == ([6.0, 1.0], np.float32)
    assert (before.tolist(), gradient.tolist()) == ([8.0, 0.0], [0.0, 4.0])
    assert not np.shares_memory(result, before)
    assert not np.shares_memory(result, gradient)


def test_of_equal_gradients_the_average_becomes_one_of_them() -> None:
    """The length stays that of a gradient, whatever beta is; a plain sum would be 10 times it."""
    sent = Life(None, config_of(0.9)).sent
    results = [sent(step, vector(3.0, -4.0)) for step in range(200)]
    np.testing.assert_allclose(results[0], [0.3, -0.4], rtol=1e-6)
    np.testing.assert_allclose(results[-1], [3.0, -4.0], rtol=1e-5)


def test_it_is_the_sum_of_el_mhamdi_at_another_learning_rate() -> None:
    rng = np.random.default_rng(5)
    sent, total = Life(None).sent, np.zeros(2)
    for step in range(10):
        gradient = rng.standard_normal(2).astype(np.float32)
        total = 0.75 * total + gradient
        np.testing.assert_allclose(sent(step, gradient), 0.25 * total, rtol=1e-5, atol=1e-6)


def test_what_was_sent_is_not_changed_by_what_is_sent_next() -> None:
    sent = Life(None).sent
    first = sent(0, vector(4.0, 0.0))
    sent(1, vector(8.0, 8.0))
    assert first.tolist() == [1.0, 0.0]


def test_a_worker_that_skips_steps_adds_the_gradients_that_it_has() -> None:
    sent = Life(None).sent
    sent(0, vector(4.0, 0.0))
    assert sent(7, vector(0.0, 4.0)).tolist() == [0.75, 1.0]


def test_without_momentum_the_gradient_itself_is_sent_and_nothing_saved(tmp_path: Path) -> None:
    sent = Life(tmp_path, config_of(0.0)).sent
    for step in range(STEPS):
        gradient = vector(step, 1.0)
        assert sent(step, gradient) is gradient
    assert not checkpoint_dir(tmp_path).exists()


def test_servers_have_no_momentum(tmp_path: Path) -> None:
    life = Life(tmp_path)
    assert life.momenta.start(server(0)) is None
    gradient = vector(1.0, 1.0)
    journal = Journal(None, server(0), lambda: 0.0, 10)
    assert life.momenta.sender(server(0), journal)(0, gradient) is gradient


def test_it_is_saved_at_every_due_step_before_it_is_sent(tmp_path: Path) -> None:
    """Of a step that servers have saved, every worker that took part in it has its file."""
    sent = Life(tmp_path, config_of(keep=9)).sent
    for step in range(STEPS):
        sent(step, vector(step, 1.0))
        due = [at for at in (6, 12, 18, 20) if at <= step + 1]
        assert saved(tmp_path) == due[::-1]


def test_who_skips_a_due_step_saves_at_the_first_after_it(tmp_path: Path) -> None:
    sent = Life(tmp_path).sent
    for step in (0, 4, 7, 8, 10, 13):
        sent(step, vector(step, 1.0))
    assert saved(tmp_path) == [14, 8]


def test_what_servers_may_restart_at_is_kept(tmp_path: Path) -> None:
    sent = Life(tmp_path, config_of(keep=2)).sent
    for step in range(STEPS):
        sent(step, vector(step, 1.0))
        if step == 12:
            save_params(tmp_path, 12)
    assert saved(tmp_path) == [20, 18, 12]


def lived(run_dir: Path, until: int) -> list[Vector]:
    """A life in which the worker sends something of every step, and what it was."""
    sent = Life(run_dir).sent
    return [sent(step, vector(step, 1.0)) for step in range(until)]


def test_a_restart_goes_on_with_the_momentum_of_its_step(tmp_path: Path) -> None:
    results = lived(tmp_path, 14)
    save_params(tmp_path, 12)
    again = Life(tmp_path)
    assert again.sent(12, vector(12, 1.0)).tobytes() == results[12].tobytes()
    start = again.momenta.start(ME)
    assert start is not None
    assert (start.step, start.sources) == (12, (ME.index,))
    assert notes(tmp_path) == []


def test_what_a_life_has_sent_beyond_the_restart_is_forgotten(tmp_path: Path) -> None:
    results = lived(tmp_path, 14)
    save_params(tmp_path, 6)
    assert saved(tmp_path) == [12, 6]
    assert Life(tmp_path).sent(6, vector(6, 1.0)).tobytes() == results[6].tobytes()
    assert saved(tmp_path) == [6]


def test_a_start_that_comes_to_nothing_forgets_nothing(tmp_path: Path) -> None:
    """Another rank may refuse, and more files be there when the run is started again."""
    lived(tmp_path, 14)
    save_params(tmp_path, 6)
    config = config_of()
    start = Momenta(config, Saves(config, SPEC, tmp_path), 2, tmp_path).start(ME)
    assert start is not None
    assert start.step == 6
    assert saved(tmp_path) == [12, 6]


def test_an_older_one_will_do_and_is_noted(tmp_path: Path) -> None:
    results = lived(tmp_path, 14)
    momentum_path(checkpoint_dir(tmp_path), ME.index, 12).unlink()
    save_params(tmp_path, 12)
    assert Life(tmp_path).sent(12, vector(6, 1.0)).tobytes() == results[6].tobytes()
    assert notes(tmp_path) == [(12, "step 6")]


def test_who_has_saved_nothing_begins_with_zeros_and_that_is_noted(tmp_path: Path) -> None:
    save_params(tmp_path, 12)
    assert Life(tmp_path).sent(12, vector(4.0, 8.0)).tolist() == [1.0, 2.0]
    assert notes(tmp_path) == [(12, "nothing")]
    assert saved(tmp_path) == []


def test_a_damaged_file_is_named_in_the_note(tmp_path: Path) -> None:
    lived(tmp_path, 14)
    damaged = momentum_path(checkpoint_dir(tmp_path), ME.index, 12)
    damaged.write_bytes(b"damaged")
    save_params(tmp_path, 12)
    Life(tmp_path)
    (event,) = (e for e in read_events(rank_log(tmp_path, RANK)) if e["event"] == "momentum")
    assert isinstance(event["faults"], list)
    assert [str(damaged) in fault for fault in event["faults"]] == [True]


def test_an_average_goes_on_under_another_beta(tmp_path: Path) -> None:
    results = lived(tmp_path, 6)
    save_params(tmp_path, 6)
    sent = Life(tmp_path, config_of(0.5)).sent
    assert sent(6, vector(2.0, 2.0)).tolist() == (results[5] / 2 + 1).tolist()


def test_who_leaves_between_contractions_saves_those_of_the_last_two(tmp_path: Path) -> None:
    """Servers go back to the last one that they have all done: the one, or the one before it.

    What it had in the end is saved as well: they may have come to the next one without it.
    """
    life = Life(tmp_path, config_of(contract_every=2, keep=9))
    results = [life.sent(step, vector(step, 1.0)) for step in range(11)]
    life.momenta.leave(ME)
    assert saved(tmp_path) == [11, 10, 8, 6]
    save_params(tmp_path, 8)
    assert Life(tmp_path).sent(8, vector(8, 1.0)).tobytes() == results[8].tobytes()


@pytest.mark.parametrize(
    ("steps", "left", "begun"),
    [((0, 1, 2, 4), 6, 5), ((0, 2, 4, 6, 8), 10, 9), ((0, 2, 4, 6, 8), 8, 7)],
    ids=["leaves before a contraction", "skips all", "skips all, and the last is not taken"],
)
def test_who_skips_contractions_leaves_with_what_it_had_by_then(
    tmp_path: Path, steps: tuple[int, ...], left: int, begun: int
) -> None:
    """Contractions are the odd steps; what is newest by the step at which servers are left."""
    life = Life(tmp_path, config_of(contract_every=2, keep=9))
    results = {step + 1: life.sent(step, vector(step, 1.0)) for step in steps}
    life.momenta.leave(ME)
    save_params(tmp_path, left)
    start = Life(tmp_path).momenta.start(ME)
    assert start is not None
    assert start.step == begun
    assert start.params.tobytes() == results[begun].tobytes()


def test_who_leaves_saves_that_before_and_that_after_its_last_gradient(tmp_path: Path) -> None:
    """Servers may have taken its last gradient or not: they are left at the one step or the other.

    What it had at a step that was due is there already.
    """
    life, results = Life(tmp_path, config_of(keep=9)), []
    for step in range(9):
        results.append(life.sent(step, vector(step, 1.0)))
    assert saved(tmp_path) == [6]
    life.momenta.leave(ME)
    assert saved(tmp_path) == [9, 8, 6]
    save_params(tmp_path, 8)
    assert Life(tmp_path).sent(8, vector(8, 1.0)).tobytes() == results[8].tobytes()
    assert notes(tmp_path) == []


def test_what_a_life_began_with_is_not_saved_as_its_own(tmp_path: Path) -> None:
    lived(tmp_path, 6)
    save_params(tmp_path, 6)
    for momenta in (Life(tmp_path).momenta, Life(None).momenta):
        momenta.leave(ME)
    assert saved(tmp_path) == [6]


def test_training_goes_on_where_nothing_can_be_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = Life(tmp_path).sent
    for step in range(5):
        sent(step, vector(step, 1.0))
    # A directory is where the file is to be.
    momentum_path(checkpoint_dir(tmp_path), ME.index, 6).mkdir()
    assert sent(5, vector(5.0, 1.0)).shape == (2,)
    assert f"{ME}: checkpoint of step 6 not saved: " in capsys.readouterr().err
    for step in range(6, 12):
        sent(step, vector(step, 1.0))
    assert 12 in saved(tmp_path)


@pytest.mark.parametrize(
    ("value", "allowed"), [(1.0, "< 1"), (-0.1, ">= 0"), (1.9, "< 1"), (float("nan"), "< 1")]
)
def test_no_momentum_is_one_or_more_or_negative(value: float, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(value)
    assert str(caught.value) == f"train.momentum = {value}: must be {allowed}"
