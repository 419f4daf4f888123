"""Bucketing: every vector is in one bucket, and chance depends on the vectors alone."""

from itertools import pairwise

import numpy as np
import pytest
from hostile_vectors import CASES, Float64s, lengths, normal

from guanyu_mpi.aggregation import bind
from guanyu_mpi.aggregation.bucketing import bucketing
from guanyu_mpi.aggregation.kernels import default_kernels
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.seeds import stream

SIZES = [(1, 2), (6, 2), (7, 2), (7, 3), (8, 1), (5, 9)]


def buckets(vectors: Float64s, s: int) -> Float64s:
    points = bucketing(Points(list(vectors), default_kernels()), 1, s)
    rows = [points.combination(unit) for unit in np.eye(len(points))]
    return np.array(rows)


@pytest.mark.parametrize(("n", "s"), SIZES)
def test_every_vector_is_in_one_bucket_and_all_but_the_last_are_full(n: int, s: int) -> None:
    # Powers of two: a bucket's sum tells its members.
    vectors = 2.0 ** np.arange(n)[:, None]
    sizes = [s] * (n // s) + ([n % s] if n % s else [])
    sums = [
        round(mean * size) for mean, size in zip(buckets(vectors, s)[:, 0], sizes, strict=True)
    ]
    assert [members.bit_count() for members in sums] == sizes
    assert sum(sums) == 2**n - 1


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("s", [2, 3])
def test_buckets_do_not_depend_on_who_sent_what(case: str, s: int) -> None:
    vectors = CASES[case](10, 3)
    expected = buckets(vectors, s)
    for seed in range(5):
        order = stream(6, "senders", seed).permutation(10)
        assert np.allclose(buckets(vectors[order], s), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pre", ["nnm", "clipping", "arc"])
def test_buckets_of_combinations_do_not_depend_on_who_sent_what_either(pre: str) -> None:
    vectors = normal(10, "after", pre)
    rule = bind(
        "median",
        n=10,
        f=2,
        pre=[pre, "bucketing"],
        pre_options={"clipping": {"tau": 1.0}} if pre == "clipping" else None,
    )
    expected = rule(vectors)
    for seed in range(5):
        order = stream(6, "senders", seed).permutation(10)
        assert np.allclose(rule(vectors[order]), expected, rtol=1e-9, atol=1e-9)


def test_other_vectors_have_another_order() -> None:
    # Each seed's vectors are in the order of their lengths: it is the draw that differs.
    drawn = set()
    for seed in range(20):
        vectors = np.arange(1.0, 9.0)[:, None] + 0.1 * stream(6, "draw", seed).random()
        drawn.add(tuple(np.argsort(buckets(vectors, 1)[:, 0]).tolist()))
    assert len(drawn) == 20


def test_neighbours_in_length_are_together_no_oftener_than_others() -> None:
    # One pair of eight vectors is expected in a bucket of two in 1 of 7 draws.
    together = np.zeros(7)
    for seed in range(700):
        vectors = 2.0 ** np.arange(8)[:, None] * (1 + 0.01 * stream(6, "pair", seed).random())
        means = buckets(vectors, 2)[:, 0] * 2 / vectors[0, 0]
        sums = {round(mean) for mean in means}
        together += [low + high in sums for low, high in pairwise(1 << np.arange(8))]
    assert (np.abs(together - 100) < 45).all()


@pytest.mark.parametrize("case", CASES)
def test_f_vectors_spoil_f_buckets_at_most(case: str) -> None:
    vectors = CASES[case](12, 2)
    spoilt = vectors.copy()
    spoilt[:2] = 1e6
    means = buckets(spoilt, 2)
    assert (lengths(means) > 1e5).sum() <= 2


@pytest.mark.parametrize("s", [1, 2, 3])
def test_average_of_full_buckets_is_the_average(s: int) -> None:
    vectors = normal(12, "average")
    rule = bind("average", n=12, f=2, pre=["bucketing"], pre_options={"bucketing": {"s": s}})
    assert np.allclose(rule(vectors), vectors.mean(axis=0), rtol=1e-12, atol=1e-12)


def test_rule_must_tolerate_f_of_as_many_as_there_are_buckets() -> None:
    with pytest.raises(ConfigError) as caught:
        bind("median", n=8, f=2, pre=["bucketing"])
    assert caught.value.faults == (
        "median needs n >= 2f + 1 = 5 vectors to tolerate f = 2: n = 4",
    )


@pytest.mark.parametrize(
    ("s", "fault"),
    [
        (0, "s = 0 is out of bounds: needs s >= 1"),
        (2.0, "s = 2.0 is not a whole number"),
        (True, "s = True is not a whole number"),
    ],
)
def test_wrong_s_is_refused_with_the_bounds(s: object, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bind("median", n=9, f=1, pre=["bucketing"], pre_options={"bucketing": {"s": s}})
    assert caught.value.faults == (f"bucketing: {fault}",)
