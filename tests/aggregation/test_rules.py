"""The registry, what binding refuses, and the worked examples."""

import doctest
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import guanyu_mpi.aggregation
from guanyu_mpi.aggregation import RULES, bind
from guanyu_mpi.errors import ConfigError

PACKAGE = Path(guanyu_mpi.aggregation.__file__).parent
MODULES = [
    ".".join(("guanyu_mpi.aggregation", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text() and path.name != "__init__.py"
]

every_rule = pytest.mark.parametrize("name", sorted(RULES))


def faults(name: str, n: int, f: int, **options: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        bind(name, n=n, f=f, **options)
    return caught.value.faults


@every_rule
def test_rule_accepts_the_least_n_and_refuses_one_less(name: str) -> None:
    for f in range(5):
        least = RULES[name].min_n(f)
        assert bind(name, n=least, f=f)(np.ones((least, 3))).shape == (3,)
        assert faults(name, least - 1, f)


def test_unknown_rule_names_the_near_miss_and_all_that_is_known() -> None:
    known = ", ".join(sorted(RULES))
    assert faults("krumm", 5, 1) == (
        f"unknown aggregation rule 'krumm'; did you mean 'krum'? known: {known}",
    )


@pytest.mark.parametrize(
    ("name", "n", "f", "fault"),
    [
        ("multi-krum", 4, 1, "multi-krum needs n >= 2f + 3 = 5 vectors to tolerate f = 1: n = 4"),
        ("krum", 2, 0, "krum needs n >= 2f + 3 = 3 vectors to tolerate f = 0: n = 2"),
        ("median", 4, 2, "median needs n >= 2f + 1 = 5 vectors to tolerate f = 2: n = 4"),
        ("average", 0, 0, "average needs n >= 1 vectors to tolerate f = 0: n = 0"),
        ("median", 3, -1, "median: f = -1 is negative"),
    ],
)
def test_too_few_vectors_are_refused_with_the_bound(name: str, n: int, f: int, fault: str) -> None:
    assert faults(name, n, f) == (fault,)


@pytest.mark.parametrize("f", [0, 1, 10])
def test_average_takes_any_number_of_vectors_whatever_f(f: int) -> None:
    assert bind("average", n=1, f=f)(np.ones((1, 2))).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("m", [0, 4, -1])
def test_m_out_of_bounds_is_refused_with_the_bounds(m: int) -> None:
    assert faults("multi-krum", 7, 2, m=m) == (
        f"multi-krum: m = {m} is out of bounds: needs 1 <= m <= n - f - 2 = 3",
    )


@pytest.mark.parametrize("m", [2.0, "2", True, None])
def test_m_that_is_not_a_whole_number_is_refused(m: object) -> None:
    assert faults("multi-krum", 7, 2, m=m) == (f"multi-krum: m = {m!r} is not a whole number",)


def test_every_wrong_option_is_reported_at_once() -> None:
    assert faults("multi-krum", 7, 2, m=9, k=1) == (
        "multi-krum: m = 9 is out of bounds: needs 1 <= m <= n - f - 2 = 3",
        "multi-krum: unknown option 'k'; known: m",
    )


def test_option_of_a_rule_without_any_is_refused() -> None:
    assert faults("median", 7, 2, m=1) == ("median: has no option 'm', nor any other",)


@every_rule
@pytest.mark.parametrize("shape", [(4, 3), (6, 3), (5,), (5, 3, 1)])
def test_other_shape_than_n_by_d_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is bound to n = 5: needs shape \(5, d\), got"):
        bind(name, n=5, f=0)(np.zeros(shape))


@every_rule
@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.complex128, object])
def test_other_type_than_float32_and_float64_is_refused(name: str, dtype: type) -> None:
    with pytest.raises(ValueError, match=f"^{name} combines numpy arrays of float32 or float64"):
        bind(name, n=5, f=0)(np.zeros((5, 3), dtype=dtype))


@pytest.mark.parametrize("module", MODULES)
def test_worked_examples_are_right(module: str) -> None:
    found = doctest.testmod(import_module(module))
    assert found.attempted > 0
    assert found.failed == 0


@every_rule
def test_every_rule_has_a_worked_example(name: str) -> None:
    assert ">>>" in (RULES[name].function.__doc__ or "")
