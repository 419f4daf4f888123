"""Writes the parts of the compiled kernels that are too long to write by hand.

It runs while the package is built, when nothing but Python can be imported: what it needs of the
package it loads by path.
"""

import hashlib
import runpy
from collections.abc import Iterator, Sequence
from pathlib import Path

# Networks for more rows are interpreted: unrolled, they would take long to compile, and their
# values would no longer stay in registers.
UNROLLED_MAX = 20
# Rows on each side of a tile of inner products: 16 sums and 8 operands stay in 32 registers.
TILE = 4
# Rows whose products with one row are added up in all lanes at once.
COLUMN = 2
# Rows that are added up in one pass.
ADDED_MAX = 16


_HERE = Path(__file__).parent
_NETWORK = _HERE.parent / "network.py"


def write(folder: Path) -> None:
    """Write the headers that kernels.c includes and that are not beside it."""
    digest = [
        f'#define SOURCES "{sources_digest()}"',
        f"#define UNROLLED_MAX {UNROLLED_MAX}",
        f"#define TILE {TILE}",
        f"#define COLUMN {COLUMN}",
        f"#define ADDED_MAX {ADDED_MAX}",
    ]
    headers = {
        "selectors.h": _selectors(),
        "adders.h": _adders(),
        "tiles.h": _tiles(),
        "built.h": digest,
    }
    for name, lines in headers.items():
        (folder / name).write_text("\n".join(["/* Written by generate.py. */", *lines, ""]))


def sources_digest() -> str:
    """What identifies the sources of the compiled kernels, of which a library may be too old."""
    digest = hashlib.sha256()
    for path in sorted([*_HERE.glob("*.[ch]"), Path(__file__), _NETWORK]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def unrolled_ranks(n: int) -> dict[str, tuple[int, ...]]:
    """The ranks that each kind of selector finds among n values, by the names in records.h.

    >>> unrolled_ranks(5)
    {'MEDIAN': (2,), 'MIDDLES': (1, 2, 3), 'SORTED': (0, 1, 2, 3, 4)}
    """
    half = n // 2
    median = (half,) if n % 2 else (half - 1, half)
    middles = tuple(range(max(half - 1, 0), min(half + 2, n))) if n % 2 else median
    return {"MEDIAN": median, "MIDDLES": middles, "SORTED": tuple(range(n))}


def _selectors() -> Iterator[str]:
    """For each number of rows, the selectors of all kinds."""
    for n in range(1, UNROLLED_MAX + 1):
        for kind, ranks in unrolled_ranks(n).items():
            yield from _selector(f"{kind}_{n}", n, ranks)
    yield f"static selector *const LEVEL(unrolled)[{UNROLLED_MAX} + 1][KINDS] = {{"
    for n in range(1, UNROLLED_MAX + 1):
        entries = ", ".join(f"[{kind}] = LEVEL({kind}_{n})" for kind in unrolled_ranks(n))
        yield f"    [{n}] = {{{entries}}},"
    yield "};"


def _selector(name: str, n: int, ranks: Sequence[int]) -> Iterator[str]:
    """A function that finds some ranks of n rows, its values in registers."""
    yield f"static void LEVEL({name})("
    yield "    const float *const *rows, long start, long width, float *const *places,"
    yield "    float *restrict sums)"
    yield "{"
    for k in range(n):
        yield f"    const float *restrict row{k} = rows[{k}] + start;"
    for k in range(len(ranks)):
        yield f"    float *restrict place{k} = places[{k}];"
    yield "    COLUMNS"
    yield "    for (long j = 0; j < width; j++) {"
    yield f"        float {', '.join(f'v{k} = row{k}[j]' for k in range(n))};"
    yield f"        sums[j] += {_sum([f'v{k}' for k in range(n)])};"
    yield from (f"        {step}" for step in _comparators(n, ranks))
    for k, rank in enumerate(ranks):
        yield f"        place{k}[j] = v{rank} + 0.0f;"
    yield "    }"
    yield "}"


def _comparators(n: int, ranks: Sequence[int]) -> Iterator[str]:
    selection_network = runpy.run_path(str(_NETWORK))["selection_network"]
    for first, second, writes_first, writes_second in selection_network(n, frozenset(ranks)):
        lesser, greater = f"LESSER(v{first}, v{second})", f"GREATER(v{first}, v{second})"
        if writes_first and writes_second:
            yield f"{{ float low = {lesser}; v{second} = {greater}; v{first} = low; }}"
        elif writes_first:
            yield f"v{first} = {lesser};"
        else:
            yield f"v{second} = {greater};"


def _sum(terms: Sequence[str]) -> str:
    """A sum whose additions wait for each other as little as possible."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return f"({_sum(terms[:half])} + {_sum(terms[half:])})"


def _adders() -> Iterator[str]:
    """Functions that add 1, 2, ... rows times factors to a total, one after another."""
    for n in range(1, ADDED_MAX + 1):
        yield f"static void LEVEL(add_{n})("
        yield "    const float *const *rows, const float *factors, long start, long width,"
        yield "    float *restrict totals)"
        yield "{"
        for k in range(n):
            yield f"    const float *restrict row{k} = rows[{k}] + start;"
            yield f"    const float factor{k} = factors[{k}];"
        yield "    COLUMNS"
        yield "    for (long j = 0; j < width; j++) {"
        yield "        float total = totals[j];"
        yield from (f"        total += row{k}[j] * factor{k};" for k in range(n))
        yield "        totals[j] = total;"
        yield "    }"
        yield "}"
    names = ", ".join(f"LEVEL(add_{n})" for n in range(1, ADDED_MAX + 1))
    yield f"static adder *const LEVEL(adders)[] = {{0, {names}}};"


def _tiles() -> Iterator[str]:
    """Inner products of up to 4 rows with 4 others, of up to 4 among them, of up to 2 with one.

    A row of a block is in several oblongs, but in one triangle or strip: these fetch it.
    """
    for height in range(1, TILE + 1):
        # One row in each pass over the lanes.
        in_turn = [f"left[lane / WIDE % {height}]"]
        pairs = [(i, j) for i in range(height) for j in range(TILE)]
        yield from _tile(f"oblong_{height}", pairs, 1, [])
        yield from _tile(f"strip_{height}", pairs, 1, in_turn)
        pairs = [(i, j) for i in range(height) for j in range(i + 1)]
        yield from _tile(f"triangle_{height}", pairs, 1, in_turn)
    for height in range(1, COLUMN + 1):
        pairs = [(i, 0) for i in range(height)]
        yield from _tile(f"column_{height}", pairs, 4, [f"left[{i}]" for i in range(height)])
    highest_of = {"oblong": TILE, "strip": TILE, "triangle": TILE, "column": COLUMN}
    for kind, highest in highest_of.items():
        names = ", ".join(f"TILE_NAME({kind}_{height})" for height in range(1, highest + 1))
        yield f"static tile *const TILE_NAME({kind})[] = {{0, {names}}};"


def _tile(
    name: str, pairs: Sequence[tuple[int, int]], span: int, fetched: Sequence[str]
) -> Iterator[str]:
    """A function that adds up the products of pairs of rows, `span` vectors of lanes at a time.

    Meanwhile it fetches the next block of some rows into the L2 cache.
    """
    sums = [(i, j, v) for i, j in pairs for v in range(span)]
    lefts, rights = sorted({i for i, _ in pairs}), sorted({j for _, j in pairs})
    operands = [("right", j) for j in rights] + [("left", i) for i in lefts]
    yield f"static void TILE_NAME({name})("
    yield "    const void *const *left, const void *const *right, double (*lanes)[TILE][LANES])"
    yield "{"
    yield f"    for (long lane = 0; lane < LANES; lane += {span} * WIDE) {{"
    for side, k in operands:
        yield f"        const ELEMENT *{side}{k} = (const ELEMENT *){side}[{k}] + lane;"
    for k, row in enumerate(fetched):
        yield f"        const ELEMENT *ahead{k} = (const ELEMENT *){row} + BLOCK;"
    yield from (f"        wide sum{i}_{j}_{v} = {{0}};" for i, j, v in sums)
    yield "        for (long at = 0; at < BLOCK; at += LANES) {"
    for k in range(len(fetched)):
        yield f"            FETCH(ahead{k} + at);"
        yield f"            FETCH(ahead{k} + at + LANES / 2);"
    for i, j, v in sums:
        x, y = (f"WIDEN({row} + at + {v} * WIDE)" for row in (f"left{i}", f"right{j}"))
        yield f"            sum{i}_{j}_{v} += {x} * {y};"
    yield "        }"
    for i, j, v in sums:
        yield f"        *(wide *)(lanes[{i}][{j}] + lane + {v} * WIDE) = sum{i}_{j}_{v};"
    yield "    }"
    yield "}"
