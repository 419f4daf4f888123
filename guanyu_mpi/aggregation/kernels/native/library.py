"""The compiled functions as ctypes sees them."""

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TypeAlias

import numpy as np

from guanyu_mpi.aggregation.arrays import Array
from guanyu_mpi.aggregation.kernels.native.generate import sources_digest, unrolled_ranks
from guanyu_mpi.aggregation.kernels.network import selection_network
from guanyu_mpi.aggregation.kernels.sums import BLOCK

_Words: TypeAlias = "ctypes.Array[ctypes.c_int32]"

# What a processor may have, from the least to the most; see kernels.c.
LEVELS = ("plain", "avx2", "avx512")
# Their numbers are those of records.h.
_KINDS = {"MEDIAN": 0, "MIDDLES": 1, "SORTED": 2}
_INTERPRETED = -1

_ADDRESS, _LONG = ctypes.c_void_p, ctypes.c_long
_ADDRESSES, _WORDS = ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int32)


class _Selection(ctypes.Structure):
    """struct selection of records.h."""

    _fields_ = (
        ("rows", _ADDRESSES),
        ("num_rows", _LONG),
        ("length", _LONG),
        ("kind", _LONG),
        ("network", _WORDS),
        ("num_comparators", _LONG),
        ("ranks", _WORDS),
        ("num_ranks", _LONG),
    )


class _Vectors(ctypes.Structure):
    """struct vectors of records.h."""

    _fields_ = (
        ("rows", _ADDRESSES),
        ("num_rows", _LONG),
        ("length", _LONG),
        ("is_narrow", _LONG),
        ("centre", _ADDRESS),
        ("operands", _ADDRESSES),
        ("copies", ctypes.POINTER(ctypes.c_double)),
    )


_SELECTION, _VECTORS = ctypes.POINTER(_Selection), ctypes.POINTER(_Vectors)
_Number: TypeAlias = ctypes.c_void_p | ctypes.c_long | ctypes.c_float
_Pointer: TypeAlias = (
    "ctypes._Pointer[_Selection] | ctypes._Pointer[_Vectors] | ctypes._Pointer[ctypes.c_void_p]"
)
_ARGUMENTS: "dict[str, Sequence[type[_Number] | type[_Pointer]]]" = {
    "ranked": (_SELECTION, _ADDRESSES),
    "middle_of_two": (_SELECTION, _ADDRESS),
    "mean_between": (_SELECTION, _LONG, _LONG, _ADDRESS),
    "nearest_mean": (_SELECTION, _LONG, _LONG, _ADDRESS),
    "combine": (_ADDRESSES, _LONG, _LONG, _ADDRESS, ctypes.c_float, _ADDRESS),
    "clamp": (_ADDRESS, _ADDRESS, _ADDRESS, _LONG),
    "midpoint": (_ADDRESS, _ADDRESS, _LONG, _ADDRESS),
    "products": (_VECTORS, _ADDRESS),
    "dots": (_VECTORS, _LONG, _ADDRESS),
}


class Library:
    """The compiled functions for what this processor has; OSError if they cannot be loaded."""

    def __init__(self, level: str | None = None) -> None:
        path = Path(__file__).with_name("_kernels" + EXTENSION_SUFFIXES[0])
        library = ctypes.CDLL(str(path))
        if _text(library, "sources") != sources_digest():
            raise OSError(f"{path} was built from other sources: install the package again")
        self.levels = LEVELS[: library.level() + 1]
        self.rows_max = _LONG.in_dll(library, "rows_max").value
        self._unrolled_max = _LONG.in_dll(library, "unrolled_max").value
        self._functions = {}
        for name, arguments in _ARGUMENTS.items():
            function = library[f"{name}_{level or self.levels[-1]}"]
            function.argtypes = arguments
            self._functions[name] = function

    def call(self, name: str, *arguments: object) -> int:
        """Call a function; what it reports is explained in kernels.c."""
        faults: int = self._functions[name](*arguments)
        return faults

    def selection(self, rows: Sequence[Array], ranks: Sequence[int]) -> _Selection:
        """The order statistics of some ranks, by an unrolled network if there is one for them."""
        n, kind = len(rows), _INTERPRETED
        if n <= self._unrolled_max:
            kinds = {found: _KINDS[name] for name, found in unrolled_ranks(n).items()}
            kind = kinds.get(tuple(ranks), _INTERPRETED)
        network = _network(n, frozenset(ranks)) if kind == _INTERPRETED else _words([])
        return _Selection(
            rows=addresses(rows),
            num_rows=n,
            length=len(rows[0]),
            kind=kind,
            network=network,
            num_comparators=len(network) // 4,
            ranks=_words(ranks),
            num_ranks=len(ranks),
        )


def vectors(rows: Sequence[Array], centre: Array | None = None) -> _Vectors:
    """What to take inner products of."""
    return _Vectors(
        rows=addresses(rows),
        num_rows=len(rows),
        length=len(rows[0]),
        is_narrow=rows[0].dtype == np.float32,
        centre=None if centre is None else address(centre),
        operands=(ctypes.c_void_p * len(rows))(),
        copies=(ctypes.c_double * (len(rows) * BLOCK))(),
    )


def addresses(rows: Sequence[Array]) -> "ctypes.Array[ctypes.c_void_p]":
    """Where rows begin; they must outlive it."""
    return (ctypes.c_void_p * len(rows))(*(address(row) for row in rows))


def address(row: Array) -> int:
    """Where a row begins; it must outlive it."""
    return row.ctypes.data


# A network of many rows takes milliseconds to make.
@lru_cache(maxsize=64)
def _network(n: int, ranks: frozenset[int]) -> _Words:
    return _words([number for comparator in selection_network(n, ranks) for number in comparator])


# A record keeps ctypes arrays that it points to alive, but not numpy arrays.
def _words(numbers: Sequence[int]) -> _Words:
    return (ctypes.c_int32 * len(numbers))(*numbers)


def _text(library: ctypes.CDLL, name: str) -> str:
    return ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, name))).decode()
