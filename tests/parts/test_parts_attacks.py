"""What each attack sends in place of an honest vector."""

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from parts_harness import server, vector, worker

from guanyu_mpi.attacks import ATTACKS, View, bind_attack
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.messages import Vector

DOCS = Path(__file__).parents[2] / "docs" / "attacks.md"

# One is on data; some are on what they overhear or remember, and are tested where they do.
ON_VECTORS = {name for name in ATTACKS if not ATTACKS[name].in_data}
ON_OWN_VECTOR = {
    name for name in ON_VECTORS if not (ATTACKS[name].omniscient or ATTACKS[name].remembers)
}

HONEST = np.linspace(-3.0, 5.0, 100_000, dtype=np.float32)


def view_of(honest: Vector = HONEST, step: int = 4) -> View:
    return View(honest, step, worker(5), server(0), seed=1)


def sent(name: str, view: View, **options: float) -> Vector:
    vector = bind_attack(name, **options)(view)
    assert vector is not None
    return vector


def test_the_attacks_are_those_that_are_documented() -> None:
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    documented = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert sorted(documented) == sorted(ATTACKS)
    assert [name for name in ATTACKS if ATTACKS[name].equivocates] == ["equivocate", "split"]


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_the_options_of_an_attack_are_those_of_its_function_and_documented(name: str) -> None:
    keywords = [
        parameter
        for parameter in inspect.signature(ATTACKS[name].function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    assert [parameter.name for parameter in keywords] == list(ATTACKS[name].options)
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{name}` |")]
    for parameter in keywords:
        # A variant is chosen or not; every number has its default.
        shown = "" if parameter.name == "variant" else f" ({parameter.default:g})"
        assert f"`{parameter.name}`{shown}" in row


@pytest.mark.parametrize(
    ("name", "option", "value", "must"),
    [
        ("alie", "z", 0.0, "must not be 0"),
        ("alie", "variant", 3.0, "must be a whole number from 1 to 2"),
        ("ipm", "epsilon", -1.0, "must be > 0"),
        ("bit-flip", "bits", 1.5, "must be a whole number from 1 to 32"),
        ("bit-flip", "non_finite", 1.5, "must be from 0 to 1"),
        ("label-flip", "classes", 1.0, "must be a whole number from 2 to 2147483648"),
    ],
)
def test_an_option_that_is_wrong_is_told(name: str, option: str, value: float, must: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bind_attack(name, **{option: value})
    assert list(caught.value.faults) == [f"option {option} = {value:g} of attack {name!r}: {must}"]


def test_z_and_the_variant_that_chooses_it_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="options z and variant of attack 'alie' exclude"):
        bind_attack("alie", z=1.0, variant=1.0)


@pytest.mark.parametrize("name", sorted(ON_VECTORS))
def test_an_attack_does_not_touch_the_honest_vector(name: str) -> None:
    honest = vector(1.0, -2.0, 0.5)
    lie = bind_attack(name)(view_of(honest))
    assert honest.tolist() == [1.0, -2.0, 0.5]
    assert lie is None or not np.shares_memory(lie, honest)


@pytest.mark.parametrize("name", sorted(ON_VECTORS))
def test_an_attack_is_a_pure_function(name: str) -> None:
    """Of what it is told and, where it remembers, was told before."""
    first, second = bind_attack(name)(view_of()), bind_attack(name)(view_of())
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("name", sorted(ON_OWN_VECTOR - {"mute"}))
def test_an_attack_sends_a_vector_like_the_honest_one_and_not_it(name: str) -> None:
    lie = sent(name, view_of())
    assert lie.shape == HONEST.shape
    assert lie.dtype == np.float32
    assert not np.array_equal(lie, HONEST)


def test_reverse_is_the_honest_vector_times_minus_one_hundred() -> None:
    lie = sent("reverse", view_of(vector(1.0, -2.0, 0.0, 0.5)))
    assert lie.tolist() == [-100.0, 200.0, 0.0, -50.0]


def test_the_scale_of_reverse_can_be_chosen() -> None:
    assert sent("reverse", view_of(vector(1.0, -2.0)), scale=-1.5).tolist() == [-1.5, 3.0]


def test_nan_is_not_a_number_in_every_coordinate() -> None:
    assert np.isnan(sent("nan", view_of())).all()


def test_sign_flip_zero_and_inf_are_what_they_say() -> None:
    view = view_of(vector(1.0, -2.0, 0.5))
    assert sent("sign-flip", view).tolist() == [-1.0, 2.0, -0.5]
    assert sent("zero", view).tolist() == [0.0, 0.0, 0.0]
    assert np.isposinf(sent("inf", view)).all()


def test_random_is_uniform_from_zero_to_its_scale() -> None:
    drawn = sent("random", view_of(), scale=2.0)
    assert drawn.min() >= 0
    assert drawn.max() < 2
    assert abs(drawn.mean() - 1) < 6 * 2 / np.sqrt(12 * drawn.size)


def test_mute_sends_nothing() -> None:
    assert bind_attack("mute")(view_of()) is None


@pytest.mark.parametrize("std", [200.0, 0.5])
def test_gaussian_has_mean_zero_and_the_stated_deviation(std: float) -> None:
    """Whatever the honest vector is; bounds of six standard errors for 100,000 draws."""
    noise = sent("gaussian", view_of(), std=std)
    assert abs(noise.mean()) < 6 * std / np.sqrt(noise.size)
    assert abs(noise.std() - std) < 6 * std / np.sqrt(2 * noise.size)


def test_gaussian_has_a_deviation_of_200_unless_it_is_chosen() -> None:
    default = sent("gaussian", view_of())
    assert np.array_equal(default, sent("gaussian", view_of(), std=200.0))


def test_gaussian_is_the_same_to_all_receivers() -> None:
    view = view_of()
    others = [replace(view, receiver=server(index)) for index in range(1, 4)]
    for other in others:
        assert np.array_equal(sent("gaussian", view), sent("gaussian", other))


@pytest.mark.parametrize("name", ["gaussian", "equivocate"])
@pytest.mark.parametrize("change", [{"step": 5}, {"sender": worker(4)}, {"seed": 2}])
def test_noise_differs_by_step_sender_and_seed(name: str, change: dict[str, object]) -> None:
    view = view_of(HONEST - HONEST.mean())
    lies = [sent(name, view), sent(name, replace(view, **change))]
    noise = np.stack(lies) - view.vector
    # What is left of the honest vector in the noise of `gaussian` is a ten-thousandth of it.
    assert abs(np.corrcoef(noise)[0, 1]) < 6 / np.sqrt(HONEST.size)


def test_equivocate_differs_by_receiver() -> None:
    view = view_of()
    one, other = sent("equivocate", view), sent("equivocate", replace(view, receiver=server(1)))
    noise = np.stack([one - HONEST, other - HONEST])
    assert abs(np.corrcoef(noise)[0, 1]) < 6 / np.sqrt(HONEST.size)


@pytest.mark.parametrize("std", [1.0, 0.1])
def test_equivocate_stays_near_the_honest_vector(std: float) -> None:
    """Its noise has std times the root mean square of the honest vector."""
    noise = sent("equivocate", view_of(), std=std) - HONEST
    size = std * np.sqrt(np.mean(HONEST.astype(np.float64) ** 2))
    assert abs(noise.mean()) < 6 * size / np.sqrt(noise.size)
    assert abs(noise.std() - size) < 6 * size / np.sqrt(2 * noise.size)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("reverse", {"scale": 1e39}),
        ("random", {"scale": 1e39}),
        ("gaussian", {"std": 1e39}),
        ("equivocate", {"std": 1e39}),
    ],
)
def test_an_attack_may_overflow_without_a_warning(name: str, options: dict[str, float]) -> None:
    """The warnings of an attacker on purpose would bury those that matter."""
    assert not np.isfinite(sent(name, view_of(), **options)).all()


def test_an_unknown_attack_is_told_with_the_near_miss() -> None:
    with pytest.raises(ConfigError, match="unknown attack 'revers'; did you mean 'reverse'"):
        bind_attack("revers")


def test_all_unknown_options_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        bind_attack("gaussian", sdt=1.0, mean=2.0)
    assert list(caught.value.faults) == [
        "unknown option of attack 'gaussian': 'sdt'; did you mean 'std'? known: std",
        "unknown option of attack 'gaussian': 'mean'; known: std",
    ]
