"""Pre-aggregations by name: what binding refuses, and that they compose."""

import numpy as np
import pytest

from guanyu_mpi.aggregation import PRE, RULES, bind
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.seeds import stream

OPTIONS = {"clipping": {"tau": 5.0}}
every_pre = pytest.mark.parametrize("pre", sorted(PRE))
every_rule = pytest.mark.parametrize("name", sorted(RULES))


def normal(n: int, d: int) -> np.ndarray:
    return stream(7, "pre", n, d).standard_normal((n, d), dtype=np.float32)


def options_of(*pre: str) -> dict[str, dict[str, float]]:
    return {name: OPTIONS[name] for name in pre if name in OPTIONS}


def faults(*pre: str, n: int = 30, **pre_options: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        bind("median", n=n, f=2, pre=pre, pre_options=pre_options)
    return caught.value.faults


@every_pre
@every_rule
def test_every_rule_combines_what_a_preaggregation_leaves(pre: str, name: str) -> None:
    rule = bind(name, n=30, f=2, pre=[pre], pre_options=options_of(pre))
    vectors = normal(30, 50)
    before = vectors.copy()
    result = rule(vectors)
    assert np.isfinite(result).all()
    assert result.shape == (50,)
    assert np.array_equal(vectors, before)


@every_pre
@every_rule
def test_result_after_a_preaggregation_ignores_the_order_of_senders(pre: str, name: str) -> None:
    rule = bind(name, n=30, f=2, pre=[pre], pre_options=options_of(pre))
    vectors = normal(30, 50)
    moved = vectors[stream(7, "order").permutation(30)]
    assert np.allclose(rule(moved), rule(vectors), rtol=1e-4, atol=1e-5)


@every_pre
@pytest.mark.parametrize("value", [np.nan, 1e30])
def test_f_hostile_vectors_do_not_spoil_what_a_preaggregation_leaves(
    pre: str, value: float
) -> None:
    rule = bind("median", n=30, f=2, pre=[pre], pre_options=options_of(pre))
    vectors = normal(30, 50)
    vectors[[3, 17]] = value
    assert np.abs(rule(vectors)).max() < 3


def test_preaggregations_are_applied_in_their_order() -> None:
    vectors = normal(30, 50)
    both = bind("average", n=30, f=2, pre=["nnm", "bucketing"])(vectors)
    other = bind("average", n=30, f=2, pre=["bucketing", "nnm"])(vectors)
    assert not np.allclose(both, other)


@every_pre
def test_preaggregation_changes_the_result(pre: str) -> None:
    vectors = normal(30, 50)
    plain = bind("median", n=30, f=2)(vectors)
    result = bind("median", n=30, f=2, pre=[pre], pre_options=options_of(pre))(vectors)
    assert not np.allclose(result, plain)


def test_rule_needs_enough_of_what_is_left() -> None:
    # Ten buckets of two, and Bulyan needs eleven for f = 2.
    with pytest.raises(ConfigError, match=r"bulyan needs n >= 4f \+ 3 = 11 .* n = 10"):
        bind("bulyan", n=20, f=2, pre=["bucketing"])


def test_unknown_preaggregation_names_the_near_miss() -> None:
    assert faults("nmm")[0].startswith("unknown pre-aggregation 'nmm'; did you mean 'nnm'?")


def test_preaggregation_that_is_there_twice_is_refused() -> None:
    assert faults("nnm", "nnm") == ("pre-aggregation 'nnm' is there twice",)


def test_options_of_a_preaggregation_that_is_not_there_are_refused() -> None:
    assert faults("nnm", bucketing={"s": 2}) == (
        "options of 'bucketing' have no effect: pre does not name it",
    )


def test_option_without_a_default_is_asked_for() -> None:
    assert faults("clipping") == ("clipping: option 'tau' is missing",)


def test_unknown_option_of_a_preaggregation_is_refused() -> None:
    assert faults("bucketing", bucketing={"size": 2}) == (
        "bucketing: unknown option 'size'; known: s",
    )
