"""Random streams: named, independent, and for ever the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guanyu_mpi.seeds import stream

parts = st.one_of(st.text(max_size=4), st.integers(-5, 5))
paths = st.lists(parts, max_size=3).map(tuple)


def first(seed: int, *path: str | int) -> list[int]:
    return stream(seed, *path).integers(2**63, size=2).tolist()


@pytest.mark.parametrize(
    ("seed", "path", "integers", "normal"),
    [
        (0, (), [2554033466, 3318166874, 3527276972], -1.215975046157837),
        (
            1,
            ("worker", 3, "batches", 7),
            [2288522140, 1013533642, 2715364939],
            -0.23424363136291504,
        ),
        (1, ("network",), [2965418220, 3786961598, 3736166165], 0.3391038477420807),
        (
            2**80,
            ("attack", "server-05", 0, "worker-00"),
            [3780428322, 482986751, 748225665],
            0.050766538828611374,
        ),
    ],
)
def test_streams_never_change(
    seed: int, path: tuple[str | int, ...], integers: list[int], normal: float
) -> None:
    """A change here makes every published result another one, and no restart exact."""
    generator = stream(seed, *path)
    assert generator.integers(2**32, size=3).tolist() == integers
    assert generator.standard_normal(1, dtype=np.float32).tolist() == [normal]


def test_a_stream_begins_anew_each_time_it_is_asked_for() -> None:
    used = stream(1, "worker", 3)
    used.integers(10, size=1000)
    assert first(1, "worker", 3) == first(1, "worker", 3)


@given(seed=st.integers(0, 3), other_seed=st.integers(0, 3), path=paths, other=paths)
def test_streams_are_equal_only_if_seed_and_path_are(
    seed: int,
    other_seed: int,
    path: tuple[str | int, ...],
    other: tuple[str | int, ...],
) -> None:
    same = (seed, path) == (other_seed, other)
    assert (first(seed, *path) == first(other_seed, *other)) == same


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ((1, 2), (12,)),
        ((1, 2), (2, 1)),
        ((1,), ("1",)),
        (("a", "b"), ("ab",)),
        (("a", "b"), ("a/b",)),
        (("a", "b"), ("a/str:b",)),
        (("a\\", "b"), ("a\\/str:b",)),
        (("a",), ("a", "")),
    ],
)
def test_paths_that_look_alike_are_different_streams(
    path: tuple[str | int, ...], other: tuple[str | int, ...]
) -> None:
    assert first(7, *path) != first(7, *other)


def test_neighbouring_streams_are_uncorrelated() -> None:
    """Workers of neighbouring indices must not draw related batches."""
    drawn = np.stack([stream(1, "worker", index).standard_normal(20_000) for index in range(8)])
    correlations = np.corrcoef(drawn)[~np.eye(8, dtype=bool)]
    # Six standard deviations of the correlation of independent samples.
    assert np.abs(correlations).max() < 6 / np.sqrt(20_000)
