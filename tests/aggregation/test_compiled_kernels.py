"""The compiled kernels equal numpy's bit for bit, whatever the processor has."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from guanyu_mpi.aggregation.arrays import NonFiniteRowsError
from guanyu_mpi.aggregation.gathering import TOGETHER
from guanyu_mpi.aggregation.kernels import CompiledKernels, NumpyKernels
from guanyu_mpi.aggregation.kernels.native.library import Library
from guanyu_mpi.seeds import stream

Float32s = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]
Result = Floats | list[Float32s]
Operation = Callable[[CompiledKernels | NumpyKernels, Sequence[Float32s]], Result]

try:
    LEVELS = Library().levels
except OSError as error:
    pytest.skip(f"not built: {error}", allow_module_level=True)

SIZES = [*range(1, 25), 33, 40]
# Around the ends of vectors, of blocks of columns, and of blocks of products.
LENGTHS = [0, 1, 15, 16, 17, 31, 32, 33, 255, 256, 257, 2047, 2048, 2049, 8191, 8193]
NUMPY = NumpyKernels()


@pytest.fixture(params=LEVELS)
def kernels(request: pytest.FixtureRequest) -> CompiledKernels:
    return CompiledKernels(request.param)


def normal(n: int, d: int) -> list[Float32s]:
    return list(stream(7, "compiled", n, d).standard_normal((n, d), dtype=np.float32))


def hostile(n: int, d: int) -> list[Float32s]:
    """Ties, zeros of both signs, the tiniest and the largest numbers."""
    values = np.float32([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 1.2e-38, 3e38, -3e38, 3.4e38])
    return list(stream(7, "hostile", n, d).choice(values, (n, d)))


def operations(n: int) -> Iterator[tuple[str, Operation]]:
    """What reads all of n rows, by name."""
    weights = stream(7, "weights", n).dirichlet(np.ones(n))
    some = weights * (np.arange(n) % 3 != 1)
    middles = [r for r in (n // 2 - 1, n // 2, n // 2 + 1) if 0 <= r < n]
    yield "median", lambda kernels, rows: kernels.median(rows)
    yield "middle ranks", lambda kernels, rows: kernels.ranked(rows, middles)
    yield "end ranks", lambda kernels, rows: kernels.ranked(rows, [n - 1, 0])
    yield "products", lambda kernels, rows: kernels.products(rows)
    yield "centred", lambda kernels, rows: kernels.centred_products(rows, rows[0])
    for few in {1, 2, 3, TOGETHER, TOGETHER + 1, n} & {*range(1, n + 1)}:
        yield f"dots of {few}", lambda kernels, rows, m=few: kernels.dots(rows[-m:], rows)
    yield "mean", lambda kernels, rows: kernels.combine(rows, np.ones(n), n)
    yield "combination", lambda kernels, rows: kernels.combine(rows, weights)
    if n > 1:
        yield "some rows", lambda kernels, rows: kernels.combine(rows, some)
    for trim in {0, (n - 1) // 4, (n - 1) // 2}:
        yield f"trimmed {trim}", lambda kernels, rows, t=trim: kernels.trimmed_mean(rows, t)
        for keep in {1, n - trim, n}:
            yield (
                f"nearest {keep} to median",
                lambda kernels, rows, k=keep: kernels.nearest_mean(rows, k, None),
            )
            yield (
                f"nearest {keep} to trimmed {trim}",
                lambda kernels, rows, k=keep, t=trim: kernels.nearest_mean(rows, k, t),
            )


def as_bits(result: Result) -> list[bytes]:
    return [np.ascontiguousarray(row).tobytes() for row in result]


def check(kernels: CompiledKernels, rows: Sequence[Float32s]) -> None:
    for name, operation in operations(len(rows)):
        result, expected = operation(kernels, rows), operation(NUMPY, rows)
        assert as_bits(result) == as_bits(expected), (name, len(rows), len(rows[0]))


@pytest.mark.parametrize("n", SIZES)
def test_results_equal_those_of_numpy(kernels: CompiledKernels, n: int) -> None:
    check(kernels, normal(n, 2049 + n))


@pytest.mark.parametrize("n", SIZES)
def test_results_equal_those_of_numpy_for_hostile_values(kernels: CompiledKernels, n: int) -> None:
    check(kernels, hostile(n, 1031))


@pytest.mark.parametrize("d", LENGTHS)
@pytest.mark.parametrize("n", [3, 8])
def test_results_equal_those_of_numpy_at_the_ends_of_blocks(
    kernels: CompiledKernels, n: int, d: int
) -> None:
    check(kernels, normal(n, d))


def test_results_equal_those_of_numpy_for_many_columns(kernels: CompiledKernels) -> None:
    check(kernels, normal(13, 70_001))


@pytest.mark.parametrize("n", [256, 257])
def test_many_rows_are_combined(kernels: CompiledKernels, n: int) -> None:
    rows = normal(n, 300)
    assert as_bits(kernels.median(rows)) == as_bits(NUMPY.median(rows))
    assert as_bits(kernels.trimmed_mean(rows, 80)) == as_bits(NUMPY.trimmed_mean(rows, 80))
    assert as_bits(kernels.products(rows)) == as_bits(NUMPY.products(rows))


@pytest.mark.parametrize("n", [1, 2, 5, 21])
def test_float64_results_equal_those_of_numpy(kernels: CompiledKernels, n: int) -> None:
    rows = list(stream(7, "float64", n).standard_normal((n, 4100)))
    check(kernels, rows)  # type: ignore[arg-type] # every operation takes float64 too


@pytest.mark.parametrize("values", [normal, hostile])
@pytest.mark.parametrize("d", LENGTHS)
def test_clamp_and_midpoint_equal_those_of_numpy(
    kernels: CompiledKernels, values: Callable[[int, int], list[Float32s]], d: int
) -> None:
    rows = values(5, d)
    for low, high in [NUMPY.ranked(rows[1:], [0, 3]), NUMPY.ranked(rows[1:], [1, 2])]:
        assert as_bits(kernels.midpoint(low, high)) == as_bits(NUMPY.midpoint(low, high))
        assert as_bits(kernels.clamp(rows[0], low.copy(), high)) == as_bits(
            NUMPY.clamp(rows[0], low.copy(), high)
        )


@pytest.mark.parametrize("n", [4, 13, 24])
def test_rows_may_begin_anywhere(kernels: CompiledKernels, n: int) -> None:
    d = 3000
    memory = [np.empty(4 * d + 8, dtype=np.uint8) for _ in range(n)]
    rows = [each[k % 9 :][: 4 * d].view(np.float32) for k, each in enumerate(memory)]
    for row, values in zip(rows, normal(n, d), strict=True):
        row[:] = values
    check(kernels, rows)


def test_rows_need_not_be_contiguous(kernels: CompiledKernels) -> None:
    check(kernels, list(np.array(normal(500, 7)).T))


def test_nothing_is_written_into_the_rows(kernels: CompiledKernels) -> None:
    rows = normal(9, 3000)
    for row in rows:
        row.flags.writeable = False
    check(kernels, rows)
    assert as_bits(rows) == as_bits(normal(9, 3000))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [1, 2, 5, 13, 24])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_that_is_not_finite_is_noticed_by_all_that_reads_it(
    kernels: CompiledKernels, value: float, n: int, dtype: type[np.floating]
) -> None:
    for k in {0, n // 2, n - 1}:
        rows = [row.astype(dtype) for row in normal(n, 2500)]
        rows[k][stream(7, "place", n, k).integers(2500)] = value
        for name, operation in operations(n):
            if name != "some rows":
                with pytest.raises(NonFiniteRowsError, match=rf"\[{k}\]|\[{k}, {n}\]|\[0\]"):
                    operation(kernels, rows)  # type: ignore[arg-type] # as above


def test_infinities_that_cancel_are_noticed(kernels: CompiledKernels) -> None:
    rows = normal(4, 100)
    rows[1][50], rows[2][50] = np.inf, -np.inf
    for _, operation in operations(4):
        with pytest.raises(NonFiniteRowsError):
            operation(kernels, rows)


def test_row_that_is_not_read_may_hold_anything(kernels: CompiledKernels) -> None:
    rows = normal(3, 100)
    rows[1][:] = np.nan
    weights = np.array([0.5, 0.0, 0.5])
    expected = NUMPY.combine(rows, weights)
    assert as_bits(kernels.combine(rows, weights)) == as_bits(expected)


def test_processor_that_has_more_has_what_is_less() -> None:
    assert LEVELS[0] == "plain"
    assert tuple(sorted(LEVELS, key=["plain", "avx2", "avx512"].index)) == LEVELS


def test_combination_of_no_row_is_zero(kernels: CompiledKernels) -> None:
    rows = normal(3, 100)
    weights = np.zeros(3)
    assert as_bits(kernels.combine(rows, weights)) == as_bits(NUMPY.combine(rows, weights))
