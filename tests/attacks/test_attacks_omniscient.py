"""Attackers that know the honest vectors of a step: what they make of them."""

import numpy as np
import pytest
from attack_harness import crowd_of, draws, sent, server, vector, view_of, worker

from guanyu_mpi.aggregation import bind
from guanyu_mpi.attacks import ATTACKS, View, bind_attack, crowd_faults
from guanyu_mpi.attacks.omniscient import alie_z

THREE = (vector(1.0, 0.0, 5.0), vector(2.0, 0.0, 5.0), vector(6.0, 0.0, 5.0))
MEAN = np.array([3.0, 0.0, 5.0])
DEVIATION = np.array([np.sqrt((4 + 1 + 9) / 3), 0.0, 0.0])

OMNISCIENT = sorted(name for name in ATTACKS if ATTACKS[name].omniscient)


def test_those_are_omniscient_that_are_documented_to_be() -> None:
    documented = "alie drift ipm mimic one-coordinate opt-alie opt-ipm split"
    assert " ".join(OMNISCIENT) == documented


@pytest.mark.parametrize("name", OMNISCIENT)
def test_an_attacker_that_has_overheard_nobody_takes_its_own_vector(name: str) -> None:
    own = vector(1.0, -2.0, 0.5)
    lie = sent(name, View(own, 3, worker(5), server(0), seed=1))
    assert lie.shape == own.shape
    assert lie.dtype == np.float32
    assert np.isfinite(lie).all()


@pytest.mark.parametrize("name", OMNISCIENT)
def test_what_was_overheard_is_not_written_into(name: str) -> None:
    vectors = draws(5)
    before = [honest.copy() for honest in vectors]
    lie = sent(name, view_of(vectors))
    assert all(np.array_equal(a, b) for a, b in zip(vectors, before, strict=True))
    assert not any(np.shares_memory(lie, honest) for honest in vectors)


@pytest.mark.parametrize("name", OMNISCIENT)
def test_colluding_attackers_agree(name: str) -> None:
    """Those who have overheard the same say the same to the same receiver."""
    vectors = draws(5)
    one, other = (sent(name, view_of(vectors, sender=worker(index))) for index in (5, 6))
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("name", OMNISCIENT)
def test_two_attackers_of_nine_move_the_average(name: str) -> None:
    """By more than one honest vector taken twice would, in distance from the honest mean."""
    vectors = draws(7)
    lie = sent(name, view_of(vectors))
    honest = np.mean(vectors, axis=0)
    moved = np.linalg.norm(np.mean([*vectors, lie, lie], axis=0) - honest)
    spread = np.linalg.norm(np.std(vectors, axis=0))
    # The attack that looks most honest is honest: mimic moves it by 2/9 of one vector's noise.
    assert moved > 0.2 * spread


def test_alie_is_the_mean_less_z_deviations() -> None:
    lie = sent("alie", view_of(THREE), z=1.5)
    assert np.allclose(lie, MEAN - 1.5 * DEVIATION)
    assert np.array_equal(lie, sent("alie", view_of(THREE)))


def test_a_single_honest_vector_has_no_deviation_and_makes_no_nan() -> None:
    """The sample deviation of one vector is 0/0; another library's attack sends that."""
    assert sent("alie", view_of(THREE[:1])).tolist() == THREE[0].tolist()


@pytest.mark.parametrize(
    ("nodes", "attackers", "first", "second"),
    [
        (18, 5, 0.589, 0.293),
        (20, 6, 0.674, 0.366),
        (20, 8, 1.036, 0.674),
        (25, 11, 1.405, 1.068),
        (51, 24, 1.760, 1.446),
    ],
)
def test_z_of_alie_is_that_of_the_literature(
    nodes: int, attackers: int, first: float, second: float
) -> None:
    assert alie_z(nodes, attackers, 1) == pytest.approx(first, abs=6e-4)
    assert alie_z(nodes, attackers, 2) == pytest.approx(second, abs=6e-4)


def test_a_variant_of_alie_takes_z_from_its_crowd() -> None:
    lie = sent("alie", view_of(THREE, crowd=crowd_of(20, 8, 20)), variant=2)
    assert np.allclose(lie, MEAN - 0.674 * DEVIATION, atol=2e-3)


@pytest.mark.parametrize(
    ("nodes", "attackers", "said"),
    [
        (6, 1, "attack 'alie': variant = 1 has no effect with 1 attackers of 6: its z is 0; give"),
        (6, 4, "attack 'alie': variant = 1 has no z for 4 attackers of 6, who are a majority"),
    ],
)
def test_a_variant_that_would_do_nothing_is_refused(nodes: int, attackers: int, said: str) -> None:
    (fault,) = crowd_faults("alie", {"variant": 1.0}, nodes=nodes, attackers=attackers)
    assert fault.startswith(said)
    assert crowd_faults("alie", {"z": 1.5}, nodes=nodes, attackers=attackers) == []


@pytest.mark.parametrize("epsilon", [0.1, 10.0])
def test_ipm_is_the_mean_backwards(epsilon: float) -> None:
    lie = sent("ipm", view_of(THREE), epsilon=epsilon)
    assert np.allclose(lie, -epsilon * MEAN)


def test_one_coordinate_is_the_mean_but_for_one_coordinate() -> None:
    vectors = draws(5)
    offset = sent("one-coordinate", view_of(vectors), gamma=0.5) - np.mean(vectors, axis=0)
    (place,) = np.flatnonzero(np.abs(offset) > 1e-4)
    length = np.linalg.norm(np.std(vectors, axis=0))
    assert offset[place] == pytest.approx(0.5 * length, rel=1e-4)


def test_krum_takes_the_vector_that_is_wrong_in_one_coordinate_and_the_median_does_not() -> None:
    """Its error is as large as honest noise in all coordinates together."""
    vectors = draws(8, dimension=2000)
    lies = [sent("one-coordinate", view_of(vectors))] * 5
    received = np.stack([*vectors, *lies])
    honest = np.mean(vectors, axis=0)
    krum = bind("krum", n=13, f=5)(received)
    median = bind("median", n=13, f=5)(received)
    assert np.array_equal(krum, lies[0])
    # sqrt(2000) times the deviation of one coordinate, which is 0.5.
    assert np.abs(krum - honest).max() > 15
    assert np.abs(median - honest).max() < 2


def test_drift_stays_within_the_honest_spread_and_keeps_its_direction() -> None:
    signs = []
    for step in (4, 5):
        vectors = draws(9, seed=step)
        offset = sent("drift", view_of(vectors, step=step)) - np.mean(vectors, axis=0)
        assert np.allclose(np.abs(offset), np.std(vectors, axis=0), rtol=1e-2, atol=1e-4)
        signs.append(np.sign(offset))
    assert np.array_equal(*signs)
    assert abs(signs[0].mean()) < 0.5


def test_split_pulls_receivers_of_even_and_of_odd_index_apart() -> None:
    vectors = draws(5)
    told = [sent("split", view_of(vectors, receiver=server(index)), z=3.0) for index in range(4)]
    assert np.array_equal(told[0], told[2])
    assert np.array_equal(told[1], told[3])
    honest = np.mean(vectors, axis=0)
    assert np.allclose(told[0] - honest, honest - told[1], atol=1e-5)
    apart = np.abs(told[0] - told[1])
    assert np.allclose(apart, 6 * np.std(vectors, axis=0), rtol=1e-3)


@pytest.mark.parametrize(("name", "option"), [("alie", "z"), ("drift", "z"), ("ipm", "epsilon")])
def test_a_lie_may_overflow_without_a_warning(name: str, option: str) -> None:
    lie = bind_attack(name, **{option: 1e39})(view_of(THREE))
    assert lie is not None
    assert not np.isfinite(lie).all()
