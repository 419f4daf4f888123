"""Inputs that are nearly right: a pure function of the seed, and of which one is wanted."""

import json
import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

# Counts, sizes, offsets and exponents at which code goes wrong, as bytes of either order.
NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
WIDE = (2**62, 2**63 - 1, 2**63, 2**64 - 1, 0x7FF0 << 48, 0x7FF8 << 48, 0x7F800000 << 32)
CHANGES_MAX = 6
BYTES_MAX = 1 << 17

Random: TypeAlias = random.Random
Change: TypeAlias = Callable[[Random, bytearray, Sequence[bytes]], None]


def mutation(seed: int, index: int, corpus: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """The input of this index: one of the corpus with a few changes."""
    rng = random.Random(seed * 1_000_003 + index)
    data = bytearray(rng.choice(corpus))
    changes = CHANGES if words else BINARY_CHANGES
    for _ in range(rng.choice((1, 1, 1, 2, 3, CHANGES_MAX))):
        rng.choice(changes)(rng, data, words or corpus)
    return bytes(data[:BYTES_MAX])


def _flip(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        at = rng.randrange(len(data))
        noise = rng.randbytes(rng.choice((1, 2, 4, 8)))
        data[at : at + len(noise)] = noise[: len(data) - at]


def _number(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    width = rng.choice((1, 2, 4, 8))
    if len(data) < width:
        return
    number = rng.choice(NUMBERS + WIDE) % 256**width
    # Fields are aligned more often than not.
    at = rng.randrange(len(data) - width + 1)
    at -= at % width if rng.random() < 0.75 else 0
    data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))


def _cut(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _remove(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randrange(1, 65)]


def _repeat(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randrange(1, 65)] * rng.choice((1, 2, 50))


def _splice(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    begin = rng.randrange(len(other) + 1)
    at = rng.randrange(len(data) + 1)
    data[at:] = other[begin:]


def _insert_word(rng: Random, data: bytearray, words: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(words)


def _replace_value(rng: Random, data: bytearray, words: Sequence[bytes]) -> None:
    """Put a word where a value was: after a colon or an equals sign."""
    starts = [at + 1 for at, byte in enumerate(data) if byte in b":="]
    if starts:
        at = rng.choice(starts)
        ends = [end for mark in (b"\n", b",", b"}") if (end := data.find(mark, at)) >= 0]
        data[at : min(ends, default=len(data))] = b" " + rng.choice(words)


BINARY_CHANGES: tuple[Change, ...] = (
    *(_flip, _overwrite, _number, _cut, _remove, _repeat, _splice),
    *(_flip, _overwrite, _number, _number),
)
CHANGES: tuple[Change, ...] = (
    *(_flip, _cut, _remove, _repeat, _insert_word, _replace_value),
    *(_insert_word, _replace_value, _replace_value, _replace_value),
)

# What a text may hold where something else is expected.
WORDS = (
    *(b"0", b"-1", b"1e400", b"-0.0", b"1" * 5000, b"1" * 400, b"0x7fffffffffffffff", b"1_000"),
    *(b"nan", b"-inf", b"NaN", b"Infinity", b"null", b"true", b"false", b'""', b"''", b"{}"),
    *(b"[]", b"[[", b"{", b"}", b'"', b"\\", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(
        b"9" * 19,
        b"[" * 20_000,
        b'{"a":' * 20_000,
        b"[0, 1, 1]",
        b'["worker-01", 7]',
        b"1979-05-27",
    ),
    *(b'"\\u0000"', b'"\\ud800"', b'"a:b"', b'".."', b'"server-99"', b"1e308", b"10000000000"),
    *(json.dumps(text).encode() for text in ("\x1b]0;t\x07", "x" * 3000, "é", "rank -1")),
)
