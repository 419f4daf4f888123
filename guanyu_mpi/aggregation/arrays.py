"""What rules combine: rows of equal length, and the blocks of columns they are read in."""

from collections.abc import Iterator
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

# A vector (d,) of numpy or torch; what goes in comes out. Only kernels look inside.
Row = TypeVar("Row")
# The types that numpy kernels work on.
Array = TypeVar("Array", npt.NDArray[np.float32], npt.NDArray[np.float64])

Float64s: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]
Mask: TypeAlias = npt.NDArray[np.bool_]


class NonFiniteRowsError(ValueError):
    """A kernel has met a NaN or an infinity among its rows."""


def blocks(d: int, width: int) -> Iterator[slice]:
    """Consecutive slices of at most `width` columns that together cover all d.

    >>> list(blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, d, width):
        yield slice(start, min(start + width, d))
